"""What a witness is asked about an answer of its own: all wordings and decoys are the authors' own."""

import random
from collections.abc import Sequence
from typing import Literal

from temperament.explain.testimony_token import content_of, key_of, keys_in
from temperament.subject.base import Conversation, Message

# How the answer is put before the witness: in the request's own words, behind an example of what is asked for, or as
# what the model said in the dialogue. SmolLM2-135M goes on talking after a dialogue (none of six testimonies could be
# read) and makes lists after an example (four of six could be read, though few of the words stood in the answer).
Form = Literal["quoted", "dialogue"]
# The trait is not named: a model that is told which words to look for need not look into its answer.
WANTED = "express your personality"
# The same request for nothing in particular.
ANYTHING = "can be read"
QUOTE = 'Question: "{question}"\nYour answer: "{answer}"\n'
REQUEST = "Which words or emojis in your answer {wanted}? List them, one a line."
OFFER = "Words and emojis: {offered}\nWhich of these stand in your answer and {wanted}? List them, one a line."
# It shows the form alone, about something that is no trait. It has no emoji, because small models copy it.
EXAMPLE_WANTED = "name a colour"
EXAMPLE_QUESTION = "What does your street look like?"
EXAMPLE_ANSWER = "The doors are green, the roofs are red, and an old blue bus stands at the corner."
EXAMPLE_OFFERED = ("ladder", "green", "red", "butter", "blue", "ceiling")
EXAMPLE_REPLY = "green\nred\nblue"
# Things that say nothing of anybody's personality: a witness who names one has not looked into the answer.
DECOY_WORDS = (
    *("gravel", "teaspoon", "gearbox", "envelope", "saucer", "chimney", "walnut", "asphalt", "bracket", "magnet"),
    *("drainpipe", "turnip", "zinc", "kilogram", "doorknob", "conveyor", "parsnip", "limestone", "axle", "ferry"),
)
DECOY_EMOJIS = (
    *("\N{PAPERCLIP}", "\N{NUT AND BOLT}", "\N{BUS STOP}", "\N{FUEL PUMP}", "\N{ELECTRIC PLUG}", "\N{PACKAGE}"),
    *("\N{TRACTOR}", "\N{SOCKS}", "\N{VERTICAL TRAFFIC LIGHT}", "\N{ABACUS}", "\N{AUBERGINE}", "\N{BARBER POLE}"),
)
# Tokens of the answer that are offered, at most; as many decoys stand among them.
OFFERED = 4


def request_for(question: str, answer: str, offered: Sequence[str], form: Form = "quoted") -> str:
    """What a witness is asked, word for word; with tokens that are offered, which of these."""
    return _request(question, answer, offered, WANTED, form)


def conversation_about(
    question: str, answer: str, offered: Sequence[str], form: Form = "quoted", wanted: str = WANTED
) -> Conversation:
    """What a witness reads: an example and the request, or the dialogue that the answer stands in and the request."""
    last = Message(role="user", content=_request(question, answer, offered, wanted, form))
    if form == "dialogue":
        return Message(role="user", content=question), Message(role="assistant", content=answer), last
    shown = EXAMPLE_OFFERED if offered else ()
    example = _request(EXAMPLE_QUESTION, EXAMPLE_ANSWER, shown, EXAMPLE_WANTED, form)
    return Message(role="user", content=example), Message(role="assistant", content=EXAMPLE_REPLY), last


def _request(question: str, answer: str, offered: Sequence[str], wanted: str, form: Form) -> str:
    quote = QUOTE.format(question=question, answer=answer) if form == "quoted" else ""
    ask = OFFER.format(offered=", ".join(offered), wanted=wanted) if offered else REQUEST.format(wanted=wanted)
    return quote + ask


def shuffled(answer: str, chance: random.Random) -> str:
    """The answer with its words in another order: who reads it is lost, and who only spots words is not."""
    words = answer.split()
    chance.shuffle(words)
    return " ".join(words)


def free_decoys(answers: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words and the emojis among the decoys that are in no answer."""
    taken = set[str]().union(*map(keys_in, answers))
    words, marks = ([decoy for decoy in decoys if key_of(decoy) not in taken] for decoys in (DECOY_WORDS, DECOY_EMOJIS))
    return words, marks


def offer(
    answer: str, decoys: tuple[Sequence[str], Sequence[str]], chance: random.Random
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tokens of an answer and as many decoys, in one random order; emojis stand beside emojis.

    Args:
        answer: whose tokens are offered.
        decoys: words and emojis that are in no answer.
        chance: draws.

    Returns:
        All that is offered, and which of it are decoys.
    """
    tokens = list(content_of(answer).values())
    own = chance.sample(tokens, k=min(OFFERED, len(tokens)))
    marks = min(sum(token.is_emoji for token in own), len(decoys[1]))
    words = min(len(own) - marks, len(decoys[0]))
    false = [*chance.sample(list(decoys[0]), k=words), *chance.sample(list(decoys[1]), k=marks)]
    offered = [*(token.text for token in own), *false]
    chance.shuffle(offered)
    return tuple(offered), tuple(false)
