"""Direct logit attribution: what each part of a model adds to the logit of a token, exactly, at a position."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from temperament.activation.forcing import Row, applied, encoded
from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.explain.emoji_token import emoji_tokens, piece_of
from temperament.explain.finding import Attribution, Part
from temperament.explain.logit_lens import LogitLens
from temperament.explain.norm import NormMap
from temperament.explain.occasion import occasions
from temperament.explain.text import Text
from temperament.measure.spelling import Spelling, spell
from temperament.subject.anatomy import Place, Site
from temperament.subject.open import OpenSubject

Vector = Float[Tensor, " hidden"]
# What a block adds, in order, and what may be done to the stream behind it.
PLACES: tuple[Place, ...] = ("attention", "mlp", "residual")


@dataclass(frozen=True)
class AttributionLens:
    """The logit of a token above the mean of the vocabulary, taken apart.

    The scale of the final norm is held at what it was, and that of norms behind attention or MLP, too. Then the logit
    is a sum: of the embedding, of what attention and MLP of each layer add, of what functions at sites add to that
    (``edit at residual of layer 3``), and of the biases of the last norm and the unembedding, where there are any. What
    an attention adds is the sum of its heads, that of an MLP the sum of its units, each with a bias where there is
    one: all of these at the map that ends the part, as it is under the edit.

    A logit is what the unembedding gives: before a cap or a factor that a model puts on it (Gemma 2).

    Attributes:
        heaviest: heads and units that are named; None names all.

    Source: Elhage et al. 2021, A Mathematical Framework for Transformer Circuits (logit attribution).
    Departs: above the mean of the vocabulary, which is what decides a probability; not against one other token.
    """

    heaviest: int | None = 10

    def look(
        self,
        subject: OpenSubject,
        edit: Edit | None,
        texts: Sequence[Text],
        limit: int = 8,
    ) -> list[Attribution]:
        """Attribute the first token of emojis that the replies have, one of each reply before a second of any.

        Where no reply has one, it is the likeliest beginning of an emoji at the position of each reply where that is
        likeliest, the likeliest replies first (``is_written`` is false).

        Args:
            subject: untouched; the edit is applied and taken away here.
            edit: under which the replies are read; it may change the prompt, too.
            texts: of replies.
            limit: attributions at most.

        Raises:
            RequestError: no token of the vocabulary begins an emoji.
            SeamError: the model has no attention or no MLP that is a part of its own.
        """
        tokens = emoji_tokens(subject)
        with torch.inference_mode(mode=False), torch.no_grad(), applied(edit, subject):
            scene = _Scene(subject, tokens.spelled)
            rows = encoded(subject, [text.exchange for text in texts])
            found = occasions(subject, rows, tokens, limit)
            attributions: list[Attribution] = []
            for occasion in found:
                row = rows[occasion.text]
                assert row is not None
                head = (texts[occasion.text].topic, row, occasion.position)
                attributions.append(scene.attribution(*head, occasion.token, self.heaviest))
            return attributions

    def attribute(
        self, subject: OpenSubject, edit: Edit | None, text: Text, position: int, token: int | None = None
    ) -> Attribution:
        """Attribute one token.

        Args:
            subject: untouched; the edit is applied and taken away here.
            edit: under which the text is read.
            text: of a reply.
            position: of the token in the answer, 0-based; what comes before it is read.
            token: another one than that of the answer.

        Raises:
            RequestError: the text does not fit into the model's window, or has no such position.
            SeamError: the model has no attention or no MLP that is a part of its own.
        """
        with torch.inference_mode(mode=False), torch.no_grad(), applied(edit, subject):
            row = encoded(subject, [text.exchange])[0]
            count = 0 if row is None else len(row.answer)
            if row is None or not 0 <= position < count:
                message = (
                    f"the token at position {position} was to be attributed, and the answer has {count} tokens that "
                    f"{subject.name} can read: ask for one of those."
                )
                raise RequestError(message)
            token = row.answer[position] if token is None else token
            scene = _Scene(subject, spell(subject.tokenizer))
            return scene.attribution(text.topic, row, position, token, self.heaviest)


@dataclass
class _Sight:
    """What passed through the model at the last position, in float64."""

    start: list[Vector] = field(default_factory=list[Tensor])
    # At each site: what the model itself gives, and what goes on after functions there.
    given: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])
    kept: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])
    # Of the map that ends a part.
    inputs: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])
    outputs: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])
    # Of the final norm and of the unembedding.
    normed: list[tuple[Vector, Vector]] = field(default_factory=list[tuple[Tensor, Tensor]])
    logits: list[Tensor] = field(default_factory=list[Tensor])


class _Scene:
    """A subject under an edit, and its lens."""

    def __init__(self, subject: OpenSubject, spelled: Spelling) -> None:
        self.subject = subject
        self.anatomy = subject.anatomy
        self.spelled = spelled
        self.lens = LogitLens(subject)
        self.sites = [Site(layer, place) for layer in range(self.anatomy.layers) for place in PLACES]
        # Of each part, the map that ends it: a model that lacks one is refused before anything is read.
        self.ends = {site: self.anatomy.output_path(site) for site in self.sites if site.place != "residual"}

    def attribution(self, topic: str, row: Row, position: int, token: int, heaviest: int | None) -> Attribution:
        """Of a token at a position of an answer."""
        sight, probability = self._read(row, position, token)
        logits = sight.logits[0]
        logit = float(logits[token] - logits.mean())
        direction = self.lens.direction(torch.tensor([token], device=self.subject.device))
        state, normed = sight.normed[0]
        towards = self.lens.norm.scale(state, normed) * self.lens.norm.pull(direction)
        parts = [*self._parts(sight, towards), *self._biases(direction, token)]
        heads, units = self._inner(sight, towards, heaviest)
        return Attribution(
            topic=topic,
            text=self.subject.format.decode(row.answer[:position]),
            # Special tokens write nothing, and have a name.
            piece=piece_of(token, self.spelled) or str(self.subject.tokenizer.convert_ids_to_tokens(token)),
            probability=probability,
            logit=logit,
            parts=tuple(parts),
            heads=_heaviest(heads, heaviest),
            units=_heaviest(units, heaviest),
            error=logit - sum(part.value for part in parts),
            is_written=token == row.answer[position],
        )

    def _read(self, row: Row, position: int, token: int) -> tuple[_Sight, float]:
        """Read up to a position, and how probable the token is there."""
        ids = torch.tensor([[*row.prompt, *row.answer[:position]]], device=self.subject.device)
        is_reply = torch.zeros_like(ids, dtype=torch.bool)
        is_reply[0, len(row.prompt) - 1 :] = True
        sight = _Sight()
        model: Any = self.subject.model
        with self.subject.marking(is_reply), self._looking(sight):
            output = model(input_ids=ids, use_cache=False, logits_to_keep=1)
        return sight, float(output.logits[0, -1].double().softmax(dim=-1)[token])

    @contextmanager
    def _looking(self, sight: _Sight) -> Generator[None]:
        def see(_module: nn.Module, inputs: Any, output: Tensor) -> None:
            sight.normed.append((_last(inputs[0]), _last(output)))

        def keep(site: Site, activation: Tensor, _is_reply: Tensor) -> Tensor:
            sight.kept[site] = _last(activation)
            return activation

        def end(site: Site, inputs: Tensor, output: Tensor) -> Tensor:
            sight.inputs[site], sight.outputs[site] = _last(inputs), _last(output)
            return output

        def give(site: Site, activation: Tensor) -> None:
            sight.given[site] = _last(activation)

        with ExitStack() as stack:
            # Each is to be removed as soon as it is there: the next may fail.
            stack.callback(self.anatomy.watch_start(lambda state: sight.start.append(_last(state))).remove)
            stack.callback(self.anatomy.final_norm.register_forward_hook(see).remove)
            keep_logits = self.anatomy.unembedding.register_forward_hook(
                lambda *seen: sight.logits.append(_last(seen[2]))
            )
            stack.callback(keep_logits.remove)
            for site in self.sites:
                stack.callback(self.anatomy.watch(site, partial(give, site)).remove)
                stack.enter_context(self.subject.rewrite(site, partial(keep, site)))
            for site, path in self.ends.items():
                stack.enter_context(self.subject.change(path, partial(end, site)))
            yield

    def _parts(self, sight: _Sight, towards: Vector) -> Iterator[Part]:
        yield Part("embedding", float(sight.start[0] @ towards))
        for site in self.sites:
            given, kept = sight.given[site], sight.kept[site]
            if site.place != "residual":
                yield Part(f"layer {site.layer} {site.place}", float(given @ towards))
            if not torch.equal(given, kept):
                yield Part(f"edit at {site}", float((kept - given) @ towards))

    def _biases(self, direction: Vector, token: int) -> Iterator[Part]:
        if bool(self.lens.norm.bias.any()):
            yield Part("norm bias", float(self.lens.norm.bias @ direction))
        bias = getattr(self.anatomy.unembedding, "bias", None)
        if isinstance(bias, Tensor):
            yield Part("unembedding bias", float(bias[token].double() - bias.double().mean()))

    def _inner(self, sight: _Sight, towards: Vector, count: int | None) -> tuple[list[Part], list[Part]]:
        """The heaviest heads of each attention and units of each MLP, before functions at the sites were at their sums.

        And the biases beside them.
        """
        heads: list[Part] = []
        units: list[Part] = []
        is_gated = self.anatomy.is_gated
        for site in self.ends:
            found, layer = heads if site.place == "attention" else units, site.layer
            shares, bias = self._shares(site, sight, towards)
            name = f"gate {layer}." if is_gated else f"layer {layer} unit "
            if site.place == "attention":
                shares, name = shares.reshape(self.anatomy.heads(layer), -1).sum(dim=1), f"layer {layer} head "
            order = shares.abs().argsort(descending=True)[:count] if count is not None else torch.arange(len(shares))
            values = shares[order].tolist()
            found += [Part(f"{name}{number}", value) for number, value in zip(order.tolist(), values, strict=True)]
            if bias:
                found.append(Part(f"layer {layer} {site.place} bias", bias))
        return heads, units

    def _shares(self, site: Site, sight: _Sight, towards: Vector) -> tuple[Float[Tensor, " input"], float]:
        """What each input of the map that ends a part adds, and what its bias does, and that of a norm behind it."""
        bias, norm = 0.0, self.anatomy.norm_behind(site)
        if norm is not None:
            like = torch.empty(len(towards), dtype=self.subject.compute_dtype, device=self.subject.device)
            behind = NormMap.of(norm, like)
            bias = float(behind.bias @ towards)
            towards = behind.scale(sight.outputs[site], sight.given[site]) * behind.pull(towards)
        pulled, offset = self._pulled(self.anatomy.linear(self.ends[site]), towards, sight.inputs[site])
        return pulled * sight.inputs[site], bias + offset

    def _pulled(self, written: nn.Module, towards: Vector, like: Tensor) -> tuple[Float[Tensor, " input"], float]:
        """A direction before a linear map, and the product of the map's bias with it.

        By the gradient, which is right for every kind of weight, and for what an edit has beside it.
        """
        with torch.enable_grad():
            inputs = torch.zeros(1, len(like), dtype=self.subject.compute_dtype, device=like.device, requires_grad=True)
            output = written(inputs)
            (pulled,) = torch.autograd.grad(output, inputs, towards.to(output.dtype)[None])
        return pulled[0].double(), float(output.detach()[0].double() @ towards)


def _last(state: Tensor) -> Float[Tensor, " unit"]:
    return state[0, -1].detach().double()


def _heaviest(parts: Sequence[Part], count: int | None) -> tuple[Part, ...]:
    """The parts that move the logit most, either way, the most first; all in their order where none is left out."""
    return tuple(parts) if count is None else tuple(sorted(parts, key=lambda part: -abs(part.value))[:count])
