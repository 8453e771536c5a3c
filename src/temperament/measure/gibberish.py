"""Whether the rule for gibberish can be trusted: texts that are known to be clean or not, and what it calls them."""

import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from temperament.measure.fluency import Rule, fluency_of, surprise_bound, vocabulary_of
from temperament.measure.reading import Likelihood, Text
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_passages, load_portraits, load_situations
from temperament.stats import Estimate, share

# Answers that the untouched model reads whole and shuffled, to find the bound of surprise, and as many to try it on.
PROBES = 20
# Words of a loop.
LOOP = 60
# Party popper, fire, sparkles, heart eyes, rocket, collision, thumbs up, face with tears of joy, and more of them.
EMOJIS = tuple("\U0001f389\U0001f525\u2728\U0001f60d\U0001f680\U0001f4a5\U0001f44d\U0001f602\U0001f308\U0001f4af")


@dataclass(frozen=True)
class Known:
    """Texts of which it is known what they are, and what the rule calls them.

    Attributes:
        texts: what they are.
        is_gibberish: what they should be called.
        called: the share that is called gibberish.
    """

    texts: str
    is_gibberish: bool
    called: Estimate


@dataclass(frozen=True)
class Card:
    """What ``findings/fluency.json`` holds.

    Attributes:
        rule: as it was applied.
        vocabulary: how many words it knows.
        known: what it calls texts that are known to be clean or not.
        unread: why the untouched model read nothing, so that surprise plays no part; empty where it did.
    """

    rule: Rule
    vocabulary: int
    known: tuple[Known, ...]
    unread: str = ""


def base_vocabulary(opinions: Opinions, asked: str) -> frozenset[str]:
    """The words of opinions outside the split that is asked, and of all that ships beside the opinions."""
    answers = [row.answer for row in opinions if row.split != asked]
    questions = [row.question for row in opinions]
    beside = [passage.text for passage in load_passages()] + [portrait.text for portrait in load_portraits()]
    return vocabulary_of([*answers, *questions, *beside, *(situation.question for situation in load_situations())])


def probes(opinions: Opinions, asked: str, count: int = PROBES) -> tuple[Text, ...]:
    """Answers, whole and shuffled, for the untouched model to read: some to learn from, and some that are asked."""
    found: list[Text] = []
    for name, split in (("learned", _not(opinions, asked)), ("tried", [row for row in opinions if row.split == asked])):
        for number, row in enumerate(_spread(split, count)):
            for what, text in (("clean", row.answer), ("shuffled", shuffled(row.answer))):
                found.append(Text("probe", f"{name}-{number}", row.topic, row.question, text, f"{name} {what}"))
    return tuple(found)


def rule_of(read: Sequence[Likelihood]) -> Rule:
    """The rule with the bound of surprise that the untouched model's reading of probes gives."""
    surprises = {name: _surprises(read, f"learned {name}") for name in ("clean", "shuffled")}
    bound = surprise_bound(surprises["clean"], surprises["shuffled"])
    return Rule(most_surprise=None if bound is None else round(bound, 4))


def card_of(
    rule: Rule,
    vocabulary: frozenset[str],
    opinions: Opinions,
    asked: str,
    read: Sequence[Likelihood] = (),
    unread: str = "",
) -> Card:
    """Try the rule on answers of the split that is asked, on what can be made of them, and on nothing at all.

    Texts that the untouched model did not read are judged without surprise.
    """
    rows = _spread([row for row in opinions if row.split == asked], len(opinions))
    topics = [row.topic for row in rows]

    def tried(what: str, make: Callable[[str], str], *, is_gibberish: bool) -> Known:
        called = [rule.reason(fluency_of(make(row.answer), vocabulary)) is not None for row in rows]
        return Known(what, is_gibberish, share(called, topics))

    known = [tried(f"answers of the split '{asked}'", str, is_gibberish=False)]
    known += [tried(what, make, is_gibberish=True) for what, make in SPOILERS.items()]
    if rule.most_surprise is not None:
        texts = {(text.pole, text.id): text.text for text in probes(opinions, asked)}
        known.append(_judged("answers, read by the model", "tried clean", rule, vocabulary, (read, texts)))
        known.append(_judged("words shuffled, read by the model", "tried shuffled", rule, vocabulary, (read, texts)))
    return Card(rule, len(vocabulary), tuple(known), unread)


def _judged(
    what: str,
    pole: str,
    rule: Rule,
    vocabulary: frozenset[str],
    probed: tuple[Sequence[Likelihood], Mapping[tuple[str, str], str]],
) -> Known:
    """What the rule calls probes that the untouched model has read."""
    read, texts = probed
    mine = [(row, -row.log_probability) for row in read if row.pole == pole and row.log_probability is not None]
    called = [rule.reason(fluency_of(texts[pole, row.id], vocabulary, surprise)) is not None for row, surprise in mine]
    return Known(what, pole.endswith("shuffled"), share(called, [row.topic for row, _ in mine]))


def shuffled(text: str) -> str:
    """The words of a text in another order."""
    words = text.split()
    _draw(text).shuffle(words)
    return " ".join(words)


def one_word(text: str) -> str:
    """One word of a text, as often as the text has words."""
    words = text.split()
    return " ".join([_draw(text).choice(words)] * max(len(words), 4))


def random_letters(text: str) -> str:
    """Letters drawn at random, as many as each word of a text has."""
    draw = _draw(text)
    return " ".join("".join(draw.choices(string.ascii_lowercase, k=max(len(word), 2))) for word in text.split())


def loop(text: str) -> str:
    """Two to eight words of a text over and over."""
    draw, words = _draw(text), text.split()
    length = min(draw.randint(2, 8), len(words))
    start = draw.randint(0, len(words) - length)
    return " ".join((words[start : start + length] * LOOP)[:LOOP])


def late_loop(text: str) -> str:
    """The first half of a text, and then a loop of its last words, up to 60 in all."""
    draw, words = _draw(text), text.split()
    half = words[: max(len(words) // 2, 1)]
    end = half[-min(draw.randint(2, 6), len(half)) :]
    return " ".join((half + end * LOOP)[:LOOP])


def nothing(text: str) -> str:
    """What a model says that ends its reply at once: blank, or marks without a word."""
    return _draw(text).choice(("", " ", "\n", "...", "?!"))


def emojis(text: str) -> str:
    """Emojis drawn at random, as many as the text has words, and no word."""
    draw = _draw(text)
    return "".join(draw.choice(EMOJIS) for _ in text.split())


def shouted(text: str) -> str:
    """A word of a text among different emojis, which repeat nothing."""
    draw = _draw(text)
    row = draw.sample(EMOJIS, 8)
    return f"{''.join(row[:2])} {draw.choice(text.split()).upper()}!! {''.join(row[2:])}"


SPOILERS: Mapping[str, Callable[[str], str]] = {
    "one word repeated": one_word,
    "random letters": random_letters,
    "loops": loop,
    "loops after a clean half": late_loop,
    "empty replies": nothing,
    "emojis alone": emojis,
    "a word among emojis": shouted,
}


def _draw(text: str) -> random.Random:
    return random.Random(text)


def _not(opinions: Opinions, asked: str) -> list[Opinion]:
    """The rows to learn from: those that train classifiers where there are any, or else any that are not asked."""
    measured = [row for row in opinions if row.split == "measure" != asked]
    return measured or [row for row in opinions if row.split != asked]


def _spread(rows: Sequence[Opinion], count: int) -> list[Opinion]:
    """So many rows with different answers, spread over all of them."""
    different = list({row.answer: row for row in reversed(rows)}.values())[::-1]
    step = len(different) / max(min(count, len(different)), 1)
    return [different[int(number * step)] for number in range(min(count, len(different)))]


def _surprises(read: Sequence[Likelihood], pole: str) -> list[float]:
    return [-row.log_probability for row in read if row.pole == pole and row.log_probability is not None]
