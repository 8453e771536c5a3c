"""Tuning all weights of an encoder to read poles, and keeping it in a folder."""

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from temperament.errors import BadFileError, TrainingError
from temperament.measure.classifier import TraitClassifier, learnable, learned_from, unique_answers
from temperament.measure.doubt import conformal_bound
from temperament.measure.encoder import (
    LEARNED,
    NO_TRAIT,
    NOTE,
    Encoder,
    EncoderNote,
    EncoderTraining,
    Epoch,
    LogitDoubt,
    LogitHead,
    load_encoder,
    open_encoder,
)
from temperament.measure.linear import best_temperature
from temperament.measure.pole import shown_codes
from temperament.measure.traitless import carriers, traitless
from temperament.opinion.row import Opinion, Opinions, Split, write_opinions
from temperament.record import folder_aside, to_json, write_text
from temperament.subject.base import Progress
from temperament.subject.open import quiet
from temperament.trait import BIG_FIVE, find_trait, table_of_trait

PUBLISHED = EncoderTraining()


def train_encoder(
    opinions: Opinions,
    encoder: str,
    folder: Path,
    settings: EncoderTraining = PUBLISHED,
    seed: int = 0,
    progress: Progress | None = None,
) -> TraitClassifier:
    """Tune all weights of an encoder to tell poles apart, and keep it in a folder.

    It learns from the split ``measure`` and from texts without a trait, which are a class of their own. The split
    ``validation`` says when to stop, and settles temperature and doubt; without one a tenth of the topics is held back.

    Args:
        opinions: whose rows of these splits are used.
        encoder: ``builtin:minilm``, a folder, or a hub id, with weights as safetensors.
        folder: takes the encoder; one that is there is replaced.
        settings: of the training.
        seed: of the head's first weights, the order of texts and dropout.
        progress: told how many steps are done, of how many at most.

    Raises:
        RequestError: the split has fewer than four topics or two poles.
        InstallError: the encoder cannot be loaded.
        TrainingError: a loss is no finite number.
        BadFileError: the folder is there and holds no encoder of ours.

    Source: Jain et al., arXiv 2409.10245 (a tuned RoBERTa, for trait alignment).
    Departs: classes are poles and no trait, not five traits.
    """
    _check_free(folder)
    labels = learnable(opinions)
    learned, held_out = _parts(opinions, labels, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reader = open_encoder(encoder, (*labels, NO_TRAIT), settings.max_tokens)
        showing = [*learned, *(row for rows in carriers(learned, labels, "shape").values() for row in rows)]
        texts = [row.answer for row in showing] + [text.text for text in traitless(learned, "shape")]
        codes = shown_codes(showing, labels).tolist()
        codes += [len(labels)] * (len(texts) - len(codes))
        shown = shown_codes(held_out, labels)
        held = [row.answer for row in held_out]
        epochs = _tune(reader, (texts, codes), (held, shown.tolist()), settings, seed, progress)
    logits = reader(held)
    temperature = best_temperature(LogitHead(len(labels), 1.0).probabilities(held, logits), shown)
    bound = conformal_bound(LogitDoubt(0.0, settings.coverage).scores(logits), settings.coverage)
    used: dict[Split, None] = dict.fromkeys(row.split for row in (*learned, *held_out))
    names = dict.fromkeys(label.partition(":")[0] for label in labels)
    note = EncoderNote(
        traits=[table_of_trait(find_trait(name)) for name in names if find_trait(name) not in BIG_FIVE],
        encoder=encoder,
        labels=labels,
        splits=tuple(used),
        temperature=temperature,
        bound=bound if math.isfinite(bound) else None,
        settings=settings,
        seed=seed,
        epochs=epochs,
    )
    with folder_aside(folder) as aside, quiet():
        reader.model.save_pretrained(aside)
        reader.tokenizer.save_pretrained(aside)
        write_opinions(aside / LEARNED, [*learned, *held_out])
        write_text(aside / NOTE, to_json(note))
    return load_encoder(folder)


def _parts(opinions: Opinions, labels: Sequence[str], seed: int) -> tuple[tuple[Opinion, ...], tuple[Opinion, ...]]:
    """Answers to learn from, and those on other topics that say when to stop."""
    learned = learned_from(opinions, ("measure",))
    topics = {row.topic for row in learned}
    held_out = unique_answers(
        [row for row in opinions.split("validation") if str(row.target) in labels and row.topic not in topics]
    )
    if held_out:
        return learned, held_out
    back = set(random.Random(seed).sample(sorted(topics), max(1, len(topics) // 10)))
    return tuple(row for row in learned if row.topic not in back), tuple(row for row in learned if row.topic in back)


def _tune(
    reader: Encoder,
    learned: tuple[Sequence[str], Sequence[int]],
    held_out: tuple[Sequence[str], Sequence[int]],
    settings: EncoderTraining,
    seed: int,
    progress: Progress | None,
) -> tuple[Epoch, ...]:
    """Tune in place, and leave the encoder as it was after the epoch with the least loss on held-out texts."""
    texts, codes = learned
    steps = math.ceil(len(texts) / settings.batch) * settings.epochs
    optimizer = torch.optim.AdamW(
        reader.model.parameters(),
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
        eps=1e-6,
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate(steps, settings.warmup))
    best: tuple[float, Any] = (math.inf, None)
    epochs: list[Epoch] = []
    done, since = 0, 0
    for epoch in range(settings.epochs):
        losses: list[float] = []
        reader.model.train()
        for rows in _batches(len(texts), settings.batch, seed + epoch):
            loss = _loss(reader.logits([texts[row] for row in rows]), [codes[row] for row in rows])
            losses.append(_finite(loss, epoch))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(reader.model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if progress:
                progress(done, steps)
        held_loss = float(_loss(torch.from_numpy(reader(list(held_out[0]))), held_out[1]))
        epochs.append(Epoch(sum(losses) / len(losses), held_loss))
        since = 0 if held_loss < best[0] else since + 1
        if held_loss < best[0]:
            best = (held_loss, copy.deepcopy(reader.model.state_dict()))
        if since >= settings.patience:
            break
    if best[1] is not None:
        reader.model.load_state_dict(best[1])
    return tuple(epochs)


def _rate(steps: int, warmup: float) -> Callable[[int], float]:
    rising = max(1, math.ceil(warmup * steps))
    return lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def _batches(count: int, size: int, seed: int) -> Iterator[list[int]]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    yield from (order[start : start + size] for start in range(0, count, size))


def _loss(logits: Tensor, codes: Sequence[int]) -> Tensor:
    return torch.nn.functional.cross_entropy(logits.float(), torch.tensor(codes, device=logits.device))


def _finite(loss: Tensor, epoch: int) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        message = f"the loss is no finite number in epoch {epoch + 1}: lower learning_rate."
        raise TrainingError(message)
    return value


def _check_free(folder: Path) -> None:
    """Raises BadFileError where something that is no encoder of ours would be replaced."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / NOTE).exists()):
        message = f"{folder} exists and is no encoder: choose another folder, so that nothing of yours is replaced."
        raise BadFileError(message)
