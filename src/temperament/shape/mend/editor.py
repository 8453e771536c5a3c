"""An editor: networks that turn examples into an edit of one model, kept apart from the edits that it makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from temperament.edit.base import Step
from temperament.edit.weight import LowRank
from temperament.errors import BadFileError, MismatchError
from temperament.opinion.row import Opinion
from temperament.provenance import versions
from temperament.record import read_bytes, read_json, to_json, write_bytes, write_text
from temperament.shape.mend.gradient import Gradients
from temperament.shape.mend.lesson import Words
from temperament.shape.mend.network import Network, condensed
from temperament.shape.mend.training import encoder
from temperament.shape.mend.trunk import Trunk
from temperament.subject.anatomy import Shape
from temperament.subject.open import OpenSubject

CARD, TENSORS = "editor.json", "editor.safetensors"


@dataclass(frozen=True)
class Card:
    """What an editor is for and how it came about.

    Attributes:
        subject: name of the model.
        subject_fingerprint: of the model; an editor fits no other.
        layer: the first edited block.
        shapes: inputs and outputs of the edited maps, by path.
        rank: of the networks' blocks.
        is_mean: an edit is the mean over its rows, not their sum.
        max_length: of a row, in tokens.
        targets: that it was trained for.
        settings: of the method.
        history: of the training.
        tokens: read in training.
        versions: of the software.
    """

    subject: str
    subject_fingerprint: str
    layer: int
    shapes: dict[str, tuple[int, int]]
    rank: int
    is_mean: bool
    max_length: int
    targets: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    history: tuple[Step, ...] = ()
    tokens: int = 0
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True, eq=False)
class Editor:
    """Trained networks and their card."""

    network: Network
    card: Card

    def check(self, subject: OpenSubject) -> None:
        """Raises MismatchError where the editor was trained on a model with other weights."""
        card = self.card
        if card.subject_fingerprint == subject.fingerprint:
            return
        message = (
            f"an editor for {card.subject} (fingerprint {card.subject_fingerprint[:12]}) was asked for on "
            f"{subject.name} ({subject.fingerprint[:12]}): these are different weights. Load the model that it was "
            f"trained on, or train another one."
        )
        raise MismatchError(message)

    def edit(self, subject: OpenSubject, rows: Sequence[Opinion]) -> dict[str, LowRank]:
        """Branches by path that make the model answer as the rows do; one forward and one backward pass.

        Raises:
            MismatchError: the editor was trained on a model with other weights.
            RequestError: a row is too long.
        """
        self.check(subject)
        trunk = Trunk(subject, self.card.layer)
        encode = encoder(trunk, min(self.card.max_length, subject.window))
        encoded = [encode(Words(row.question, row.answer)) for row in rows]
        factors = Gradients(trunk, self.network.paths).of(encoded, is_mean=self.card.is_mean)
        network = self.network.to(subject.device).eval()
        with torch.no_grad():
            branches = {path: condensed(branch) for path, branch in network(factors).items()}
        return {path: LowRank(branch.down.cpu(), branch.up.cpu()) for path, branch in branches.items()}

    def save(self, folder: Path) -> None:
        """Write the editor into a folder, which is made: safetensors first, then the card that makes it whole."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        write_bytes(folder / TENSORS, save(tensors))
        write_text(folder / CARD, to_json(self.card))


def load_editor(folder: Path | str) -> Editor:
    """An editor from its folder.

    Raises:
        BadFileError: the folder holds no editor, or its tensors are not those of its card.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    if not (folder / CARD).is_file():
        message = f"{folder} holds no editor: give a folder with {CARD}, as an editor's save() writes it."
        raise BadFileError(message)
    card = read_json(folder / CARD, Card)
    network = make_network(card, alpha=0.0, seed=0)
    try:
        network.load_state_dict(load(read_bytes(folder / TENSORS, ", not a file")))
    except (SafetensorError, RuntimeError) as error:
        message = f"{folder / TENSORS} is not what {CARD} describes: {error}. Save the editor again."
        raise BadFileError(message) from None
    return Editor(network.eval(), card)


def make_network(card: Card, alpha: float, seed: int) -> Network:
    """A network as it is before training, which leaves gradients as they are."""
    shapes: Mapping[str, Shape] = {path: Shape(*size) for path, size in card.shapes.items()}
    return Network(shapes, card.rank, alpha, seed)
