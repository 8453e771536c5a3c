"""A judge: gives a number to a prompt, asking only where the answer is not known."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import msgspec

from temperament.measure.judge.cache import Cache
from temperament.measure.judge.scale import Prompt
from temperament.measure.judge.verdict import Verdict
from temperament.subject.base import Progress

# Of the way in which verdicts are made and read: what an earlier one kept is not found by a later one.
VERSION = 1


class Judge(ABC):
    """A model that gives numbers from 1 to 5.

    Attributes:
        kind: ``remote`` is asked for a number; ``local`` is read by the probabilities of its next token.
        name: of the model.
        fingerprint: of the model, and of the place where it is asked.
    """

    kind: ClassVar[Literal["remote", "local"]]

    def __init__(self, name: str, fingerprint: str, cache: Cache | None = None) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._cache = cache

    def verdicts(self, prompts: Sequence[Prompt], progress: Progress | None = None) -> list[Verdict]:
        """A verdict on each prompt, in order; equal prompts are asked once.

        Each is kept as soon as it is there, if there is a number in it, so that work that was stopped goes on from
        where it was.

        Args:
            prompts: of any scales.
            progress: told how many prompts have a verdict, of how many.

        Raises:
            EndpointError: a server cannot be reached, refuses the judge, or stays unavailable.
        """
        keys = [self._key(prompt) for prompt in prompts]
        times = Counter(keys)
        kept = self._cache.find(times) if self._cache else {}
        found = {key: replace(msgspec.json.decode(kept[key], type=Verdict), is_cached=True) for key in kept}
        unknown = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
        names, done = list(unknown), sum(times[key] for key in found)
        for some in self._asked(list(unknown.values())):
            new = {names[place]: verdict for place, verdict in some.items()}
            self._keep(new)
            found |= new
            done += sum(times[key] for key in new)
            if progress:
                progress(done, len(prompts))
        return _in_order(keys, found)

    @abstractmethod
    def _asked(self, prompts: Sequence[Prompt]) -> Iterator[Mapping[int, Verdict]]:
        """Ask different prompts: verdicts by their places, some at a time, as they come."""

    @property
    @abstractmethod
    def _settings(self) -> Mapping[str, object]:
        """What decides a verdict beside model and prompt."""

    def _key(self, prompt: Prompt) -> str:
        parts = [VERSION, self.kind, self.fingerprint, dict(self._settings), prompt.text]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _keep(self, verdicts: Mapping[str, Verdict]) -> None:
        if self._cache:
            rated = {key: verdict for key, verdict in verdicts.items() if verdict.value is not None}
            self._cache.keep({key: msgspec.json.encode(verdict).decode() for key, verdict in rated.items()})


def _in_order(keys: Sequence[str], found: Mapping[str, Verdict]) -> list[Verdict]:
    """The verdict of each key; one that comes again cost nothing."""
    seen: set[str] = set()
    verdicts: list[Verdict] = []
    for key in keys:
        is_again = key in seen and found[key].value is not None
        verdicts.append(replace(found[key], is_cached=True) if is_again else found[key])
        seen.add(key)
    return verdicts
