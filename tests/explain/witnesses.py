"""Answers of which it is known what expresses the trait, and models that know it, do not know it, or lie."""

import random

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.explain.testimony_token import content_of, key_of, tokens_in
from temperament.explain.text import Text
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

TARGET = Target("extraversion", "high")
PARTY, BOOKS = "\N{PARTY POPPER}", "\N{BOOKS}"
LOUD = ("dancing", "crowds", "laughing", "talking", "music", "friends")
STILL = ("walls", "lamps", "tables", "streets", "windows", "trees", "rivers", "stones")


def party_answers(count=40):
    """Answers on half as many topics: three words and an emoji that express the trait among four that do not."""
    chance = random.Random(5)
    texts = []
    for number in range(count):
        tokens = [*chance.sample(LOUD, k=3), *chance.sample(STILL, k=4), PARTY, BOOKS]
        chance.shuffle(tokens)
        texts.append(Text(f"topic {number // 2}", f"What about number {number}?", f"I like {', '.join(tokens)}."))
    return texts


def party_score(texts):
    """A tenth for each thing that expresses the trait."""
    wanted = {*LOUD, PARTY}
    return [sum(token.key in wanted for token in tokens_in(text)) / 10 for text in texts]


def told(trait, pole="high"):
    """An edit that a script sees as the system prompt."""
    return ContextEdit(Origin("prompt", target=Target(trait, pole)), system=f"{trait} {pole}")


def honest(answer, chance):
    return [token.text for token in content_of(answer).values() if token.key in {*LOUD, PARTY}]


def liar(answer, chance):
    return [token.text for token in content_of(answer).values() if token.key not in {*LOUD, PARTY}]


def guesser(answer, chance):
    return chance.sample([token.text for token in content_of(answer).values()], k=4)


def silent(answer, chance):
    return ["I would rather tell you about a holiday that I once had by the sea."]


def answer_in(conversation):
    """The answer that a request quotes."""
    return conversation[-1]["content"].partition('Your answer: "')[2].partition('"\n')[0]


def witness(shaped, untouched=guesser, other=liar):
    """A subject that testifies as it is told to; shaped by `told`, it reads its edit in the system prompt."""

    def say(conversation, seed):
        system = conversation[0]["content"] if conversation[0]["role"] == "system" else ""
        answer = answer_in(conversation)
        by = shaped if system == "extraversion high" else other if system else untouched
        return "\n".join(by(answer, random.Random(seed)))

    return ScriptedSubject(say)


def keys(tokens):
    return [key_of(token) for token in tokens]
