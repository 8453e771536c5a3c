"""A whole encoder tuned to read poles: for users who want the published kind of classifier and have the machine for it.

The folder of one is an ordinary folder of transformers, with what it learned from beside the weights. How it is tuned
is in `temperament.measure.tuning`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperament.errors import BadFileError, InstallError, MismatchError, RequestError
from temperament.measure.classifier import TraitClassifier
from temperament.measure.doubt import COVERAGE
from temperament.measure.pole import Probabilities
from temperament.opinion.row import Opinion, Opinions, Split, read_opinions
from temperament.record import read_json
from temperament.subject.builtin import find_builtin, prepared
from temperament.subject.open import quiet
from temperament.trait import register, trait_from

NOTE, LEARNED = "temperament.json", "learned.jsonl"
NO_TRAIT = "none"
READ_AT_ONCE = 32
PREFIX = "builtin:"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


@dataclass(frozen=True)
class EncoderTraining:
    """How an encoder is tuned.

    Attributes:
        learning_rate: of AdamW, after the warm-up; it falls to 0 in a straight line.
        batch: texts a step.
        epochs: at most.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: of AdamW.
        patience: epochs without a lower loss on held-out answers, after which it stops.
        max_tokens: of a text that are read.
        coverage: the share of answers on new topics that it is meant to be sure of.

    Raises:
        RequestError: one of them is out of its range.

    Source: Liu et al. 2019, arXiv 1907.11692, table 10 (tuning RoBERTa).
    """

    learning_rate: float = 2e-5
    batch: int = 16
    epochs: int = 10
    warmup: float = 0.06
    weight_decay: float = 0.1
    patience: int = 2
    max_tokens: int = 256
    coverage: float = COVERAGE

    def __post_init__(self) -> None:
        for name, is_right, range_ in (
            ("learning_rate", 0 < self.learning_rate < math.inf, "above 0"),
            ("batch", self.batch >= 1, "at least 1"),
            ("epochs", self.epochs >= 1, "at least 1"),
            ("warmup", 0 <= self.warmup < 1, "a share, at least 0 and below 1"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("patience", self.patience >= 1, "at least 1"),
            ("max_tokens", self.max_tokens >= 8, "at least 8"),
            ("coverage", 0 < self.coverage < 1, "a share, above 0 and below 1"),
        ):
            if not is_right:
                message = f"{name} is {getattr(self, name)}: it needs to be {range_}."
                raise RequestError(message)


@dataclass(frozen=True)
class Epoch:
    """One pass over what is learned.

    Attributes:
        loss: mean cross-entropy of what was learned, in nats.
        held_out_loss: that of the answers that were held out.
    """

    loss: float
    held_out_loss: float


class _Definitions(msgspec.Struct, omit_defaults=True):
    """The part of the note that has to be read first: custom traits, as their TOML files have them."""

    traits: list[dict[str, Any]] = []


class EncoderNote(_Definitions, kw_only=True):
    """What ``temperament.json`` holds beside an encoder's weights.

    The bound is None where there were too few held-out answers to set one, so that it is never unsure.
    """

    encoder: str
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    temperature: float
    bound: float | None
    settings: EncoderTraining
    seed: int
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class LogitHead:
    """Probabilities from logits of the poles, and of no trait after them.

    Attributes:
        poles: how many there are.
        temperature: above 1 where the encoder was too certain.
    """

    poles: int
    temperature: float

    def probabilities(self, texts: Sequence[str], hidden: NDArray[np.float32]) -> Probabilities:
        """The probability of each pole, [text, pole]; rows sum to 1, because what shows no trait is the doubt's."""
        from scipy.special import softmax

        if not len(texts):
            return np.zeros((0, self.poles))
        return softmax(hidden[:, : self.poles].astype(np.float64) / self.temperature, axis=1)


@dataclass(frozen=True)
class LogitDoubt:
    """Doubt by the logit of no trait.

    Attributes:
        bound: in log-odds; see `conformal_bound`.
        coverage: between 0 and 1.
    """

    bound: float
    coverage: float

    def scores(self, hidden: NDArray[np.float32]) -> Probabilities:
        """The log-odds of any pole against none, [text]."""
        from scipy.special import logsumexp

        logits = hidden.astype(np.float64)
        return np.asarray(logsumexp(logits[:, :-1], axis=1)) - logits[:, -1]


class Encoder:
    """A sequence classifier of transformers and its tokenizer, as a function from texts to logits [text, class]."""

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.max_tokens = min(max_tokens, int(tokenizer.model_max_length))

    def __call__(self, texts: list[str], /) -> NDArray[np.float32]:
        """The logits of the texts, in their order."""
        self.model.eval()
        found = np.zeros((len(texts), self.model.config.num_labels), np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        with torch.inference_mode():
            for start in range(0, len(order), READ_AT_ONCE):
                rows = order[start : start + READ_AT_ONCE]
                found[rows] = self.logits([texts[row] for row in rows]).float().cpu().numpy()
        return found

    def logits(self, texts: Sequence[str]) -> Tensor:
        """Logits [text, class] in one batch, on the encoder's device."""
        read = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return self.model(**read.to(self.model.device)).logits


def load_encoder(folder: Path, opinions: Opinions | None = None) -> TraitClassifier:
    """A tuned encoder from its folder, as a classifier.

    Args:
        folder: as `train_encoder` writes it.
        opinions: that a study is about; None checks nothing.

    Raises:
        BadFileError: the folder holds no tuned encoder, or pickled weights.
        MismatchError: it learned from a topic that is in the split ``shape`` or ``test`` of the opinions.
        InstallError: the weights cannot be loaded.
    """
    if not (folder / NOTE).is_file():
        message = (
            f"{folder} holds no tuned encoder (no {NOTE}): make one with `temperament classifier train --encoder MODEL "
            f"--out {folder}`."
        )
        raise BadFileError(message)
    for table in read_json(folder / NOTE, _Definitions).traits:
        register(trait_from(table, str(folder / NOTE)))
    note = read_json(folder / NOTE, EncoderNote)
    learned = tuple(read_opinions(folder / LEARNED))
    _check_apart(folder, learned, opinions)
    reader = open_encoder(str(folder), (*note.labels, NO_TRAIT), note.settings.max_tokens)
    return TraitClassifier(
        f"encoder:{folder}",
        learned,
        note.labels,
        note.splits,
        note.seed,
        reader,
        LogitHead(len(note.labels), note.temperature),
        doubt=LogitDoubt(-math.inf if note.bound is None else note.bound, note.settings.coverage),
    )


def open_encoder(name: str, labels: Sequence[str], max_tokens: int) -> Encoder:
    """An encoder with a head of that many classes: its own where it has them, else a new one.

    Raises:
        InstallError: it cannot be loaded.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = str(prepared(find_builtin(name.removeprefix(PREFIX)).name)) if name.startswith(PREFIX) else name
    if Path(place).is_dir() and (found := [path for kind in PICKLES for path in Path(place).rglob(kind)]):
        message = f"the encoder '{name}' has pickled weights ({found[0]}): give one with safetensors."
        raise InstallError(message)
    names = dict(enumerate(labels))
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(place)
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                place,
                num_labels=len(names),
                id2label=names,
                label2id={label: code for code, label in names.items()},
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
            )
    except (OSError, ValueError, KeyError) as error:
        message = (
            f"the encoder '{name}' cannot be loaded ({error}): give 'builtin:minilm', a folder, or a Hugging Face id "
            "of an encoder with safetensors that is in the cache or can be reached."
        )
        raise InstallError(message) from error
    return Encoder(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, max_tokens)


def _check_apart(folder: Path, learned: Sequence[Opinion], opinions: Opinions | None) -> None:
    """Raises MismatchError where an encoder learned from a topic that shapes, or that is asked."""
    if opinions is None:
        return
    topics = {row.topic.casefold() for row in learned}
    for row in opinions:
        if row.split in ("shape", "test") and row.topic.casefold() in topics:
            message = (
                f"the encoder in {folder} learned from the topic '{row.topic}', which is in the split '{row.split}' of "
                f"{opinions.name}: what shaped a model or is asked must not measure it. Train an encoder on these "
                f"opinions."
            )
            raise MismatchError(message)
