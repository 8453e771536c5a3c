"""``temperament models``: what is built in, and how to install it."""

import click


@click.command()
def models() -> None:
    """List the built-in models, whether each is installed, and the command that installs it."""
    from temperament.subject.builtin import BUILT_IN, status

    for name, entry in BUILT_IN.items():
        click.secho(f"builtin:{name}", bold=True)
        click.echo(f"  {entry.title}, {entry.kind}, {entry.licence}: {status(entry)}")
        click.echo(f"  {entry.description}")
        click.echo(f"  {entry.command}")
