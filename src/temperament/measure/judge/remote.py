"""A judge that is asked for a number: any OpenAI-compatible endpoint."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from temperament.measure.judge.base import Judge
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.scale import Prompt
from temperament.measure.judge.verdict import Verdict, verdict_of
from temperament.record import Generation
from temperament.subject.base import Reply, Subject
from temperament.subject.endpoint import AT_ONCE, EndpointSubject
from temperament.subject.flight import Flight

Placed = tuple[int, Prompt]


class RemoteJudge(Judge):
    """Asks greedily for one number, several prompts at once.

    Attempts, back-off and the limit of calls a minute are the endpoint's (`subject.endpoint`). A call that fails at
    every attempt leaves no verdict with a value; twelve of them in a row are an error.

    Args:
        subject: to be asked.
        cache: of verdicts.
        at_once: prompts in flight.
        max_new_tokens: of a reply.
    """

    kind = "remote"

    def __init__(
        self, subject: Subject, cache: Cache | None = None, at_once: int = AT_ONCE, max_new_tokens: int = 8
    ) -> None:
        # Ratings are files to show around, and the address of a server is nobody's business.
        name = subject.model if isinstance(subject, EndpointSubject) else subject.name
        super().__init__(name, subject.fingerprint, cache)
        self._subject = subject
        self._generation = Generation(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens)
        self._flight: Flight[Placed] = Flight(subject.name, self._ask, at_once)

    @property
    def _settings(self) -> Mapping[str, object]:
        return asdict(self._generation)

    def _asked(self, prompts: Sequence[Prompt]) -> Iterator[Mapping[int, Verdict]]:
        for (place, prompt), reply in self._flight.outcomes(deque(enumerate(prompts))):
            yield {place: verdict_of(reply, prompt.text)}

    def _ask(self, placed: Placed) -> Reply:
        return self._subject.reply([placed[1].text], self._generation)[0]
