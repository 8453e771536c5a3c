"""Judges for tests that read a request as a person would: the scale as it is shown, and the answer."""

import re

from served import good

from temperament.measure.judge.remote import RemoteJudge
from temperament.opinion.row import Opinion, Opinions
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import known_traits

LOW_WORDS = ("not at all", "it is wrong", *(trait.low for trait in known_traits()))


def shown(prompt):
    """The answer, and whether 1 stands for the low pole (or for a word that does not fit)."""
    first = re.search(r"^1 = (.*)$", prompt, re.MULTILINE).group(1)
    answer = re.search(r"<answer>\n(.*)\n</answer>", prompt, re.DOTALL).group(1)
    return answer, any(first == word or first.split()[-1] == word for word in LOW_WORDS)


def trait_of(prompt):
    """The trait or the word that is asked about."""
    word = re.search(r'"(.+?)"', prompt)
    if word:
        return word.group(1)
    return next(trait.name for trait in known_traits() if trait.name in prompt)


def number(prompt, opinion_of):
    """What a judge writes that holds an answer to be worth so much, 1 to 5, whatever the direction of the scale."""
    answer, is_up = shown(prompt)
    value = opinion_of(answer, trait_of(prompt))
    return str(value if is_up else 6 - value)


def judge_who(opinion_of, cache=None):
    """A judge with an opinion of (answer, trait or word) from 1 to 5."""
    subject = ScriptedSubject(lambda turns, _: number(turns[-1]["content"], opinion_of), "scripted")
    return RemoteJudge(subject, cache)


def judge_that_says(text, cache=None):
    """A judge that always writes the same."""
    return RemoteJudge(ScriptedSubject(text), cache)


def server_who(opinion_of):
    """A script of a server that judges."""
    return lambda prompt, attempt: good(number(prompt, opinion_of), tokens=1, prompt_tokens=100)


TOPICS = tuple(f"topic {number}" for number in range(8))


def labelled(split="validation", traits=("extraversion",), topics=TOPICS):
    """Answers that name their pole, longer on even topics, and that are all different."""
    return [
        Opinion(
            trait=trait,
            pole=pole,
            facet="",
            topic=topic,
            question=f"What of {topic}?",
            answer=f"{trait} {pole} on {topic}" + " and so on" * (number % 3),
            split=split,
            source="test",
        )
        for trait in traits
        for number, topic in enumerate(topics)
        for pole in ("low", "high")
    ]


def opinions_of(*parts):
    return Opinions([row for part in parts for row in part], "labelled")


def truth(answer, asked):
    """5 for the high pole and for words of it, 1 for the other."""
    return 5 if " high on " in answer else 1
