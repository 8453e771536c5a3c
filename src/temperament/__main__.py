"""``python -m temperament`` is the command line."""

from temperament.cli import main

main()
