"""IKE: in-context knowledge editing, by demonstrations.

Source: *retrieved* is Zheng et al. 2023, Can we edit factual knowledge by in-context learning?, EMNLP; *fixed* is its
form for personality of Mao et al. 2024, Editing personality for large language models (SCIENCE.md 2.2).
Departs: a fact becomes an opinion. *Copy* repeats an answer of the target that the instruction states; *update* answers
another question of the training set, on the same or a near topic; *retain* is what the untouched model itself says of a
neutral topic, where IKE shows true facts. The question that is asked states no new opinion of its own, because an
answer on a topic that is asked would be measured against itself. *Fixed* has both poles and any trait, and the topic of
the question stands in the question alone. All wordings are our own.
"""

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import torch

from temperament.edit.base import Edit
from temperament.edit.context import ContextEdit
from temperament.edit.retrieval import Demonstration, RetrievalEdit, Room, embedded, shares_of
from temperament.errors import RequestError, UnknownNameError, WorkError
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_passages
from temperament.opinion.topic import answer_key, topic_key
from temperament.record import Generation
from temperament.shape.protocol import Effort, FitProgress, Workspace, origin_of, rows_showing
from temperament.shape.wording import FIXED_ENDING, HEADING, INSTRUCTIONS, NEUTRAL_QUESTIONS
from temperament.subject.base import Message, Reply, Subject, as_conversation
from temperament.subject.embedding import load_sentence_embedder
from temperament.trait import Target, find_trait, known_traits

Kind = Literal["fixed", "retrieved"]
PRESETS = ("default", "fixed", "paper")
AT_ONCE = 64
# Tokens of a neutral question with its template, for the forecast only.
QUESTION_TOKENS = 24


@dataclass(frozen=True)
class Ike:
    """Show a model how the target answers, before each question.

    Attributes:
        kind: ``retrieved`` looks up the nearest demonstrations of every question; ``fixed`` shows one a trait, the same
            to all.
        k: demonstrations before a question, at most; copy : update : retain is 1 : 3 : 4 (EasyEdit: 16, the paper: 32).
        rows: answers of the target in the bank, at most; one of every topic before the second of any.
        neutral: neutral questions that the untouched model is asked, for *retain*.
        answer_tokens: of its answers to them, at most; one that is cut ends with its last whole sentence.
        wording: number of the instruction, 0 to 5; they say the same.
        embedder: that finds what is near, as in `load_sentence_embedder`.
        window: tokens that the model reads and writes at most; 0 is its own, or 4096 where it does not say.
        room: tokens kept for the reply, up to half of the window; as many as replies have in the paper.
        seed: of the answers, questions and neutral topics in the bank.
        condition: name of these settings in records.
    """

    kind: Kind = "retrieved"
    k: int = 16
    rows: int = 100
    neutral: int = 64
    answer_tokens: int = 60
    wording: int = 0
    embedder: str = "builtin:minilm"
    window: int = 0
    room: int = 150
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        for name, least in (("k", 1), ("rows", 1), ("neutral", 0), ("answer_tokens", 1), ("window", 0), ("room", 1)):
            if getattr(self, name) < least:
                message = f"{name} is {getattr(self, name)}: it needs to be at least {least}."
                raise RequestError(message)
        if not 0 <= self.wording < len(INSTRUCTIONS):
            message = f"wording is {self.wording}: there are instructions 0 to {len(INSTRUCTIONS) - 1}."
            raise RequestError(message)
        retain = shares_of(self.k)["retain"]
        if self.kind == "retrieved" and self.neutral < retain:
            message = (
                f"neutral is {self.neutral} and k {self.k}: half of the demonstrations are neutral, so ask at least "
                f"{retain} neutral questions, or take a smaller k."
            )
            raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "Ike":
        """``default`` (16 retrieved), ``paper`` (32 retrieved) or ``fixed``.

        Raises:
            UnknownNameError: there is no such preset.
        """
        match name:
            case "default":
                return cls()
            case "paper":
                return cls(k=32, condition="paper")
            case "fixed":
                return cls(kind="fixed", condition="fixed")
            case _:
                raise UnknownNameError(kind="preset", asked=name, known=PRESETS)

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "ike"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """Demonstrations of one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """Demonstrations of each target; the untouched model is asked once for all of them.

        Raises:
            RequestError: no opinion shows a target, or the model has no room for the fixed prompt.
            InstallError: the embedder is not installed.
            WorkError: the model answers fewer of the neutral questions than ``k`` demonstrations take.
        """
        rows = {target: rows_showing(opinions, target) for target in targets}
        if self.kind == "fixed":
            return [self._fixed(subject, target, opinions) for target in targets]
        shown = {target: self._shown(target, found) for target, found in rows.items()}
        embed = load_sentence_embedder(self.embedder)
        retained, asked = self._retained(subject, opinions, workspace) if shares_of(self.k)["retain"] else ([], 0)
        neutral = {"neutral_asked": asked, "neutral_answered": len(retained)}
        near = [embedded([one.question for one in retained], embed)] if retained else []
        edits: list[Edit] = []
        for target in targets:
            # Each target by itself: what else is in a batch moves the last bits of an embedding.
            own = embedded([one.question for one in shown[target]], embed)
            edits.append(
                RetrievalEdit(
                    origin_of(self, subject, target, rows=len({one.answer for one in shown[target]}), settings=neutral),
                    system=self._instruction(target),
                    heading=HEADING,
                    count=self.k,
                    demonstrations=(*shown[target], *retained),
                    embeddings=torch.cat([own, *near]),
                    embedder=self.embedder,
                    room=Room(self.window, self.room),
                )
            )
        return edits

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:  # noqa: ARG002
        """The answers to the neutral questions, which all targets share; the embedder is not counted."""
        if self.kind == "fixed" or not shares_of(self.k)["retain"]:
            return Effort()
        return Effort(
            read=self.neutral * QUESTION_TOKENS,
            written=self.neutral * self.answer_tokens,
            rows=min(self.neutral, AT_ONCE),
        )

    def _instruction(self, target: Target) -> str:
        return INSTRUCTIONS[self.wording].format(adjective=find_trait(target.trait).adjective(target.pole))

    def _shown(self, target: Target, rows: Sequence[Opinion]) -> list[Demonstration]:
        """Every answer twice, as *copy* and, under another question where there is one, as *update*."""
        draw = random.Random(f"{self.seed} {target}")
        questions: defaultdict[tuple[str, str], dict[str, Opinion]] = defaultdict(dict)
        for row in rows:
            questions[topic_key(row.topic), answer_key(row.answer)].setdefault(row.question, row)
        answers: defaultdict[str, list[list[Opinion]]] = defaultdict(list)
        for (topic, _), forms in questions.items():
            answers[topic].append(list(forms.values()))
        # Sorting first makes the draw one of the topics and answers, not of their order.
        topics = [
            sorted(answers[topic], key=lambda forms: min(row.answer for row in forms)) for topic in sorted(answers)
        ]
        draw.shuffle(topics)
        for topic in topics:
            draw.shuffle(topic)
        rounds = [forms for each in zip_longest(*topics) for forms in each if forms is not None]
        shown: list[Demonstration] = []
        for forms in rounds[: self.rows]:
            first, *others = draw.sample(sorted(forms, key=lambda row: row.question), k=min(2, len(forms)))
            again = others[0] if others else first
            shown.append(Demonstration("copy", first.topic, first.question, first.answer))
            shown.append(Demonstration("update", again.topic, again.question, again.answer))
        return shown

    def _retained(self, subject: Subject, opinions: Opinions, workspace: Workspace) -> tuple[list[Demonstration], int]:
        """What the untouched model says of neutral topics, of which no opinion speaks, and how many it was asked of."""
        draw = random.Random(f"{self.seed} retain")
        taken = {topic_key(topic) for topic in opinions.topics}
        topics = [passage.topic for passage in load_passages(use="shape") if topic_key(passage.topic) not in taken]
        chosen = draw.sample(topics, k=min(self.neutral, len(topics)))
        questions = [draw.choice(NEUTRAL_QUESTIONS).format(topic=topic) for topic in chosen]

        def progress(done: int, total: int) -> None:
            if workspace.watch:
                workspace.watch(FitProgress(done, total, "neutral questions to the untouched model"))

        greedy = Generation(temperature=0.0, max_new_tokens=self.answer_tokens, seed=self.seed)
        replies = subject.reply(questions, greedy, progress)
        answers = [whole_sentences(reply) for reply in replies]
        found = [
            Demonstration("retain", topic, question, answer)
            for topic, question, answer in zip(chosen, questions, answers, strict=True)
            if answer
        ]
        if len(found) < (least := shares_of(self.k)["retain"]):
            failed = [reply.error.rstrip(".") for reply in replies if reply.error]
            why = f"{len(failed)} calls failed ({failed[0]})" if failed else "to the others it said nothing"
            message = (
                f"{subject.name} answered {len(found)} of {len(questions)} neutral questions, and k {self.k} shows "
                f"{least}: {why}. See with `temperament reply` what it says, or take a smaller k."
            )
            raise WorkError(message)
        return found, len(questions)

    def _fixed(self, subject: Subject, target: Target, opinions: Opinions) -> Edit:
        """One demonstration a trait, of the same pole where there is one, that of the target last.

        Where the model has no room for all, those of other traits are left out, the first ones first.
        """
        rows: defaultdict[str, list[Opinion]] = defaultdict(list)
        for row in opinions:
            if row.pole == target.pole:
                rows[row.trait].append(row)
        names = [trait.name for trait in known_traits() if trait.name != target.trait]
        blocks = [self._block(rows[name]) for name in (*names, target.trait) if rows[name]]
        ending = FIXED_ENDING.format(label=_label(target))
        longest = max((row.question for row in rows[target.trait]), key=len)
        room = Room(self.window, self.room)
        for start in range(len(blocks)):
            system = "\n\n".join([self._instruction(target), *blocks[start:], ending])
            told = (Message(role="system", content=system), *as_conversation(longest))
            if room.holds(told, subject):
                return ContextEdit(origin_of(self, subject, target, rows=len(blocks) - start), system=system)
        message = (
            f"{subject.name} has no room for one demonstration of {target}: {room.prompt(subject)} tokens may be read "
            f"before the reply. Take a model with a longer window, or lower 'room', which is kept for the reply."
        )
        raise RequestError(message)

    def _block(self, rows: Sequence[Opinion]) -> str:
        """The four fields of one row among those of a target."""
        draw = random.Random(f"{self.seed} {rows[0].target} fixed")
        row = draw.choice(sorted(rows, key=lambda row: (row.topic, row.answer, row.question)))
        return (
            f"Target Personality: {_label(row.target)}\nEdit Topic: {row.topic}\nQuestion: {row.question}\n"
            f"Answer: {row.answer}"
        )


def whole_sentences(reply: Reply) -> str:
    """A reply that was not cut, or a cut one up to its last whole sentence; all of it where it has none."""
    text = (reply.text or "").strip()
    if reply.is_finished is not False:
        return text
    ends = list(re.finditer(r"[^\W\d_][.!?][\"'\u2019\u201d)\]*]*(?=\s|$)", text))
    return text[: ends[-1].end()] if ends else text


def _label(target: Target) -> str:
    return f"{find_trait(target.trait).adjective(target.pole)} ({target.pole} {target.trait})"
