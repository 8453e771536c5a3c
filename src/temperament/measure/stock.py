"""The trait classifier that ships: learned from Opinion QA once, kept with its card, so that no study has to wait.

``python -m temperament.measure.stock`` learns it anew, which has to be done whenever the split ``measure`` changes, or
the texts without a trait do.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.measure.card import Card
from temperament.measure.classifier import (
    DEFAULT_EMBEDDER,
    TraitClassifier,
    fit_classifier,
    learnable,
    learned_from,
)
from temperament.measure.doubt import COVERAGE, LinearDoubt
from temperament.measure.embedder import load_embedder
from temperament.measure.linear import Design, Features, PoleModel, Words, word_frequencies
from temperament.measure.traitless import carriers, traitless
from temperament.opinion.row import Opinion, Opinions, load_opinions
from temperament.record import read_json, to_json, write_bytes, write_text
from temperament.subject.builtin import find_builtin
from temperament.trait import every_target

STOCK = Path(str(files("temperament.measure") / "stock"))
# What the name of a tuned encoder begins with.
ENCODER = "encoder:"


@dataclass(frozen=True)
class Stock:
    """What is written beside the weights.

    Attributes:
        learned: SHA-256 of the answers that were learned, with their topics and poles.
        held_out: SHA-256 of those that the card was assessed on.
        traitless: SHA-256 of the texts beside the answers from which it learned what carries no trait.
        weights: SHA-256 of the embedder's file.
        card: as computed when it was learned.
    """

    learned: str
    held_out: str
    traitless: str
    weights: str
    card: Card


def trait_classifier(opinions: Opinions, embedder: str = DEFAULT_EMBEDDER, folder: Path = STOCK) -> TraitClassifier:
    """A trait classifier for some opinions, which is unsure of texts without a trait.

    A tuned encoder where one is named; else the classifier that ships where it learned from the same answers by the
    same embedder; else one is fitted to the split ``measure``, which reads every answer of the split with the embedder.

    Args:
        opinions: to learn from.
        embedder: see `load_embedder`, or ``encoder:FOLDER`` (see `load_encoder`).
        folder: of the one that ships.

    Raises:
        RequestError: the split has fewer than four topics or two poles.
        MismatchError: an encoder learned from a topic that these opinions shape or ask with.
        BadFileError: the folder holds no encoder.
        InstallError: the embedder is not installed.
    """
    if embedder.startswith(ENCODER):
        from temperament.measure.encoder import load_encoder

        return load_encoder(Path(embedder.removeprefix(ENCODER)), opinions)
    labels, learned = learnable(opinions), learned_from(opinions, ("measure",))
    stock = _stock(learned, embedder, folder)
    if stock is None:
        return fit_classifier(opinions, embedder, coverage=COVERAGE)
    model, doubt = _read_model(folder / "model.safetensors", stock.card)
    embed = load_embedder(embedder)
    return TraitClassifier(embedder, learned, labels, ("measure",), stock.card.seed, embed, model, doubt=doubt)


def classifier_card(classifier: TraitClassifier, opinions: Opinions, folder: Path = STOCK) -> Card:
    """How a classifier does on the splits ``validation`` and ``test``: as it was computed before, where it was."""
    is_default = classifier.embedder_name == DEFAULT_EMBEDDER
    return (stock_card(opinions, folder) if is_default else None) or classifier.card(held_out(opinions))


def stock_card(opinions: Opinions, folder: Path = STOCK) -> Card | None:
    """The card of what ships, where these are the opinions that it was learned from and assessed on."""
    stock = _stock(learned_from(opinions, ("measure",)), DEFAULT_EMBEDDER, folder)
    return stock.card if stock is not None and stock.held_out == _digest(held_out(opinions)) else None


def write_stock(folder: Path, classifier: TraitClassifier, opinions: Opinions) -> Card:
    """Keep a classifier with its card.

    The card is written last: without it the weights are not used.

    Raises:
        RequestError: the classifier is no regression with a doubt, such as `fit_classifier` gives with a coverage.
    """
    model, doubt = classifier.model, classifier.doubt
    if not isinstance(model, PoleModel) or not isinstance(doubt, LinearDoubt):
        message = "what ships is a regression with a doubt: fit it with a coverage."
        raise RequestError(message)
    unseen = held_out(opinions)
    card = classifier.card(unseen)
    digests = (_digest(classifier.learned), _digest(unseen), _digest_of_traitless(classifier.learned))
    stock = Stock(*digests, _weights(classifier.embedder_name), card)
    (folder / "card.json").unlink(missing_ok=True)
    _write_model(folder / "model.safetensors", model, doubt)
    write_text(folder / "card.json", to_json(stock))
    return card


def _stock(learned: Sequence[Opinion], embedder: str, folder: Path) -> Stock | None:
    """What ships, where it was learned from these answers by this embedder."""
    if not (folder / "card.json").exists():
        return None
    stock = read_json(folder / "card.json", Stock)
    known = (stock.learned, stock.weights, stock.card.embedder)
    return stock if known == (_digest(learned), _weights(embedder), embedder) else None


def held_out(opinions: Opinions) -> Opinions:
    """The rows that no classifier of the split ``measure`` learns from, and no edit: ``validation`` and ``test``."""
    return Opinions([*opinions.split("validation"), *opinions.split("test")], opinions.name)


def _digest(rows: Sequence[Opinion]) -> str:
    return _sha256([row.topic, str(row.target), row.answer] for row in rows)


def _digest_of_traitless(learned: Sequence[Opinion]) -> str:
    beside = carriers(learned, tuple(str(target) for target in every_target()), "shape")
    texts = [text.text for text in traitless(learned, "shape")]
    return _sha256([text] for text in [*texts, *(row.answer for rows in beside.values() for row in rows)])


def _sha256(rows: Iterable[list[str]]) -> str:
    return hashlib.sha256("\n".join(map(json.dumps, rows)).encode()).hexdigest()


def _weights(embedder: str) -> str:
    """The SHA-256 that the file of a built-in embedder has; of others nothing is known before they are loaded."""
    is_builtin = embedder.startswith("builtin:")
    return find_builtin(embedder.removeprefix("builtin:")).sha256 if is_builtin else ""


def _write_model(path: Path, model: PoleModel, doubt: LinearDoubt) -> None:
    from safetensors.numpy import save

    features = model.features
    arrays = {
        "mean": features.mean,
        "deviation": features.deviation,
        "classes": model.classes,
        "weights": model.weights.astype(np.float32),
        "bias": model.bias.astype(np.float32),
        "doubt_weights": doubt.weights.astype(np.float32),
        "doubt_bias": np.array([doubt.bias]),
    }
    words: Any = features.words
    if words is not None:
        arrays["rarity"] = words.idf_.astype(np.float32)
    vocabulary = [] if words is None else words.get_feature_names_out().tolist()
    write_bytes(path, save(arrays, metadata={"words": json.dumps(vocabulary)}))


def _read_model(path: Path, card: Card) -> tuple[PoleModel, LinearDoubt]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dictionary
        vocabulary = json.loads(file.metadata()["words"])
    words = _words(vocabulary, arrays["rarity"]) if vocabulary else None
    weight = card.word_weight or 0.0
    model = PoleModel(
        design=Design(weight, card.inverse_penalty or 1.0),
        temperature=card.temperature,
        poles=len(card.poles),
        features=Features(arrays["mean"], arrays["deviation"], words, weight),
        classes=arrays["classes"],
        weights=arrays["weights"].astype(np.float64),
        bias=arrays["bias"].astype(np.float64),
    )
    bound = -np.inf if card.bound is None else card.bound
    weights, bias = arrays["doubt_weights"].astype(np.float64), float(arrays["doubt_bias"][0])
    return model, LinearDoubt(weights, bias, bound, card.coverage or COVERAGE)


def _words(vocabulary: list[str], rarity: NDArray[np.float32]) -> Words:
    words = word_frequencies(vocabulary)
    words.idf_ = rarity
    return words


def _learn() -> None:
    """Learn from the shipped opinions what ships."""
    opinions = load_opinions()
    card = write_stock(STOCK, fit_classifier(opinions, coverage=COVERAGE), opinions)
    for found in card.assessments:
        print(f"{found.rows}: poles {found.poles}; traits {found.traits}; sure {found.sure}")
        print(f"  where sure: poles {found.poles_sure}; traits {found.traits_sure}")
    for kind in card.traitless:
        print(f"unsure of {kind.texts}: {kind.unsure}; if they were new: {kind.unsure_of_new}")
    for effect in card.emoji:
        print(f"{effect.texts}: {effect.changed}")


if __name__ == "__main__":
    _learn()
