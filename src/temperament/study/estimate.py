"""How long a study will take and how much memory it needs, before it begins.

The speed is measured on the subject itself for a second or two; what it leaves out are loading and scoring.
"""

import time
from dataclasses import dataclass

import torch

from temperament.record import Generation
from temperament.shape.protocol import Effort
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject

# A training step against a forward pass: by operations about 3 (forward, backward through the frozen maps, adapters,
# logits). With 3 the demo was forecast at 5 minutes and took 7.
TRAINING_FACTOR = 4.0
# Of max_new_tokens, what replies use on average once finished rows leave the batch: a guess between 0.3 and 1.
REPLY_SHARE = 0.7


@dataclass(frozen=True)
class Work:
    """What is left to do.

    Attributes:
        efforts: of the fittings, which run one after the other.
        replies: to be asked for.
        rows: replies that share a batch.
        generation: how they are drawn.
        read: tokens that are read after asking.
    """

    efforts: tuple[Effort, ...] = ()
    replies: int = 0
    rows: int = 1
    generation: Generation = Generation()
    read: int = 0


@dataclass(frozen=True)
class Forecast:
    """What a study will cost.

    Attributes:
        seconds: None where the subject is remote.
        gigabytes: of memory at the peak; None where the subject is remote.
    """

    seconds: float | None
    gigabytes: float | None

    def __str__(self) -> str:
        if self.seconds is None or self.gigabytes is None:
            return "how long it takes is up to the endpoint"
        minutes = self.seconds / 60
        span = f"{self.seconds:.0f} seconds" if minutes < 1.5 else f"{minutes:.0f} minutes"
        return f"about {span} and {self.gigabytes:.1f} GB of memory, measured on this machine at this moment"


def forecast(subject: Subject, work: Work) -> Forecast:
    """Estimate time and memory from a short measurement of the subject."""
    if not isinstance(subject, OpenSubject):
        return Forecast(None, None)
    seconds = 0.0
    through = work.read + sum(TRAINING_FACTOR * effort.trained + effort.read for effort in work.efforts)
    if through:
        seconds += through / _tokens_per_second(subject)
    for effort in work.efforts:
        if effort.written:
            seconds += REPLY_SHARE * effort.written / effort.rows * _seconds_per_step(subject, effort.rows)
    if work.replies:
        steps = work.generation.max_new_tokens * REPLY_SHARE
        seconds += work.replies / work.rows * steps * _seconds_per_step(subject, min(work.rows, work.replies))
    return Forecast(seconds, _gigabytes(subject, work))


def _tokens_per_second(subject: OpenSubject) -> float:
    ids = torch.full((4, 64), subject.format.pad_token, device=subject.device)
    with torch.inference_mode():
        subject.model(input_ids=ids, logits_to_keep=1)
        began = time.perf_counter()
        # Reading a value waits for a GPU to end.
        float(subject.model(input_ids=ids, logits_to_keep=32).logits[0, 0, 0])
    return ids.numel() / (time.perf_counter() - began)


def _seconds_per_step(subject: OpenSubject, rows: int) -> float:
    probe = [f"{number}" for number in range(rows)]
    began = time.perf_counter()
    subject.reply(probe, Generation(temperature=0.0, max_new_tokens=1))
    first = time.perf_counter() - began
    subject.reply(probe, Generation(temperature=0.0, max_new_tokens=5))
    return max(1e-4, (time.perf_counter() - began - 2 * first) / 4)


def _gigabytes(subject: OpenSubject, work: Work) -> float:
    weights = sum(parameter.numel() * parameter.element_size() for parameter in subject.model.parameters())
    # What trains is held four times: values, gradients and two moments, 4 bytes each.
    adapters = 16 * max((effort.parameters for effort in work.efforts), default=0)
    config = subject.model.config.get_text_config()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    width = 24 * config.hidden_size * config.num_hidden_layers * subject.compute_dtype.itemsize
    activations = 2048 * width if any(effort.trained for effort in work.efforts) else 0
    return (1.0e9 + weights + adapters + activations) / 1e9
