"""Checks of rows one by one: facets, empty values, emojis, form, words that name the trait."""

from collections.abc import Callable, Sequence

from temperament.curate.audit.result import Check, Example, at_most, counted
from temperament.curate.audit.settings import AuditSettings
from temperament.curate.audit.source import Placed, Source
from temperament.curate.check import Problem, check_answer
from temperament.measure.emoji import emojis
from temperament.measure.emoticon import emoticons
from temperament.trait import find_trait

_VALUES = ("topic", "question", "answer")


def schema(source: Source) -> Check:
    """Lines that are no opinions; all are kept."""
    found = len(source.malformed)
    says = f"{found:,} of {found + len(source.rows):,} lines malformed"
    return at_most("schema", found, 0, says, source.malformed)


def facets(rows: Sequence[Placed]) -> Check:
    """Facets that the trait does not have; an empty facet is none, and so is any of a trait without facets."""
    found: list[Example] = []
    for placed in rows:
        row, known = placed.row, find_trait(placed.row.trait).facets
        if row.facet and known and row.facet not in known:
            text = f"facet '{row.facet}' is none of {row.trait}: {', '.join(known)}"
            found.append(placed.example(text))
    return at_most("facets", len(found), 0, f"{counted(len(found), 'row')} with an unknown facet", found)


def empty(rows: Sequence[Placed]) -> Check:
    """Topics, questions and answers without a letter or a digit; those without any character are malformed."""
    found = [
        placed.example(f"{name} is {getattr(placed.row, name)!r}")
        for placed in rows
        for name in _VALUES
        if not any(character.isalnum() for character in getattr(placed.row, name))
    ]
    return at_most("empty", len(found), 0, f"{counted(len(found), 'value')} without a letter or digit", found)


def pictures(rows: Sequence[Placed], answers: Sequence[Placed]) -> list[Check]:
    """Emojis and emoticons in answers, questions and topics."""
    texts = {
        **{(placed.row.answer, "answer"): placed for placed in reversed(answers)},
        **{(placed.row.question, "question"): placed for placed in reversed(rows)},
        **{(placed.row.topic, "topic"): placed for placed in reversed(rows)},
    }
    return [_pictures("emoji", "emojis", emojis, texts), _pictures("emoticon", "emoticons", emoticons, texts)]


def _pictures(name: str, what: str, find: Callable[[str], list[str]], texts: dict[tuple[str, str], Placed]) -> Check:
    found: list[Example] = []
    for (text, kind), placed in texts.items():
        if shown := find(text):
            found.append(placed.example(f"{' '.join(shown)} in the {kind}: {text}"))
    return at_most(name, len(found), 0, f"{counted(len(found), 'text')} with {what}", found)


def form(answers: Sequence[Placed], settings: AuditSettings) -> list[Check]:
    """Length, sentences and trait words of unique answers."""
    found: dict[str, list[tuple[Placed, Problem]]] = {"length": [], "sentences": [], "trait_words": []}
    for placed in answers:
        for problem in check_answer(placed.row.answer, placed.row.target, settings.limits):
            if problem.check in found:
                found[problem.check].append((placed, problem))
    span = f"{settings.fewest_words} to {settings.most_words} words"
    said = {
        "length": ("answer_length", f"answers not of {span}"),
        "sentences": ("sentences", f"answers over {settings.most_sentences} sentences"),
        "trait_words": ("trait_words", "answers name their trait"),
    }
    return [
        at_most(name, len(found[key]), 0, f"{len(found[key]):,} of {len(answers):,} {what}", _examples(found[key]))
        for key, (name, what) in said.items()
    ]


def _examples(found: Sequence[tuple[Placed, Problem]]) -> list[Example]:
    return [
        placed.example(f"{placed.row.target}, {problem.message.split(': ')[0]}: {placed.row.answer}")
        for placed, problem in found
    ]
