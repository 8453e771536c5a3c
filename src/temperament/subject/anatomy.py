"""Where things are in a transformers model: the one file that knows how decoders are built.

Blocks return tensors or tuples, linear maps are ``nn.Linear``, GPT-2's ``Conv1D`` or 4-bit, gates are separate or
fused with the up projection. Everything else in the package speaks of layers, sites and paths.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from temperament.errors import SeamError

Place = Literal["residual", "gate", "attention", "mlp"]

# An MLP is gated where one of these maps makes the gate (Phi-3 fuses gate and up projection into one).
GATE_NAMES = ("gate_proj", "gate_up_proj")
ACTIVATION_NAMES = ("act_fn", "activation_fn", "act")
# What the last map of a part of a block is called: of an attention, which mixes the heads, and of an MLP.
OUTPUT_NAMES = ("o_proj", "down_proj", "dense_4h_to_h", "dense", "c_proj", "out_proj")
# After the last block; everything between it and the unembedding.
FINAL_NORM_NAMES = ("norm", "ln_f", "final_layer_norm", "final_layernorm")


@dataclass(frozen=True, order=True)
class Site:
    """A place where activations can be read and rewritten.

    Attributes:
        layer: 0-based block.
        place: ``residual``, the stream after the block, [batch, token, hidden]; ``gate``, the units
            ``act(x W_gate)`` of a gated MLP before the product with the up projection, [batch, token, unit]; or
            ``attention`` and ``mlp``, what that part of the block adds to the stream, [batch, token, hidden]: where a
            norm stands behind the part (Gemma 2, OLMo 2), what the norm gives.
    """

    layer: int
    place: Place = "residual"

    def __str__(self) -> str:
        return f"{self.place} of layer {self.layer}"


@dataclass(frozen=True)
class Shape:
    """Size of a linear map."""

    inputs: int
    outputs: int


class Anatomy:
    """The parts of a decoder.

    Raises:
        SeamError: no stack of blocks can be found in the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.blocks_path, self.blocks = _find_blocks(model)
        self._gives_tuple: dict[int, bool] = {}

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @cached_property
    def linears(self) -> Mapping[str, nn.Module]:
        """The linear maps inside the blocks, by path from the model."""
        prefix = f"{self.blocks_path}."
        return {
            path: module
            for path, module in self.model.named_modules()
            if path.startswith(prefix) and _is_linear(module)
        }

    def linear(self, path: str) -> nn.Module:
        """The linear map at a path; raises SeamError where there is none."""
        try:
            return self.linears[path]
        except KeyError:
            example = next(iter(self.linears), "none")
            message = f"'{path}' is no linear map of this model: its maps are named like '{example}'."
            raise SeamError(message) from None

    def shape(self, path: str) -> Shape:
        """Size of the linear map at a path."""
        module = self.linear(path)
        if isinstance(module, nn.Linear):
            return Shape(module.in_features, module.out_features)
        weight = cast(Tensor, module.weight)  # Conv1D keeps it transposed.
        return Shape(weight.shape[0], weight.shape[1])

    def is_transposed(self, path: str) -> bool:
        """Whether the weight is stored as [input, output], as Conv1D does (PEFT: ``fan_in_fan_out``)."""
        return not isinstance(self.linear(path), nn.Linear)

    def mlp_paths(self, layer: int) -> tuple[str, ...]:
        """Paths of the linear maps of a block outside its attention; raises SeamError where it does not exist."""
        self.check(Site(layer))
        prefix = f"{self.blocks_path}.{layer}."
        inside = [path for path in self.linears if path.startswith(prefix)]
        return tuple(path for path in inside if "attn" not in path and "attention" not in path)

    def layer_of(self, path: str) -> int:
        """The block that a linear map lies in; raises SeamError where there is no such map."""
        self.linear(path)
        return int(path.removeprefix(f"{self.blocks_path}.").partition(".")[0])

    def share_before(self, layer: int) -> float:
        """The share of the model's parameters that lie in the blocks before one."""
        before = sum(parameter.numel() for block in self.blocks[:layer] for parameter in block.parameters())
        return before / sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def is_gated(self) -> bool:
        """Whether every block has the gate seam."""
        return all(_find_gate(block) is not None for block in self.blocks)

    def check(self, site: Site) -> None:
        """Raises SeamError where the site does not exist."""
        if not 0 <= site.layer < self.layers:
            message = f"layer {site.layer} does not exist: this model has layers 0 to {self.layers - 1}."
            raise SeamError(message)
        if site.place == "gate" and _find_gate(self.blocks[site.layer]) is None:
            kind = type(self.model).__name__
            message = (
                f"the gate seam was asked for, but {kind} has no gated MLP that is known here: use the residual seam, "
                f"or a model with one (LLaMA, Mistral, Qwen, Gemma, Phi-3, OLMo)."
            )
            raise SeamError(message)
        if site.place in ("attention", "mlp"):
            _contribution(self.blocks[site.layer], site.place)

    def width(self, site: Site) -> int:
        """Number of units at a site."""
        self.check(site)
        if site.place != "gate":
            config: Any = self.model.config
            return int(config.get_text_config().hidden_size)
        gated = next(name for name, part in self.blocks[site.layer].named_children() if _activation(part) is not None)
        return self.shape(f"{self.blocks_path}.{site.layer}.{gated}.down_proj").inputs

    def rewrite(self, site: Site, function: Callable[[Tensor], Tensor]) -> RemovableHandle:
        """Put a function at a site; removing the handle takes it away."""
        return _after(self._module_at(site), lambda _inputs, output: _on_first(output, function))

    def watch(self, site: Site, look: Callable[[Tensor], None]) -> RemovableHandle:
        """Look at what the model itself gives at a site, before functions there have been at it."""

        def hook(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            look(output[0] if isinstance(output, tuple) else output)

        # Before the others.
        return self._module_at(site).register_forward_hook(hook, prepend=True)

    def watch_start(self, look: Callable[[Tensor], None]) -> RemovableHandle:
        """Look at the stream that the first block is given."""

        def hook(_module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            look(inputs[0] if inputs else named["hidden_states"])

        return self.blocks[0].register_forward_pre_hook(hook, with_kwargs=True)

    def _module_at(self, site: Site) -> nn.Module:
        """What gives the activation at a site."""
        self.check(site)
        block = self.blocks[site.layer]
        if site.place == "gate":
            gate = _find_gate(block)
            assert gate is not None
            return gate
        return block if site.place == "residual" else _contribution(block, site.place)

    def branch(self, path: str, side: Callable[[Tensor], Tensor]) -> RemovableHandle:
        """Add ``side(input)`` to the output of a linear map; removing the handle takes it away."""
        return _after(self.linear(path), lambda inputs, output: output + side(inputs[0]))

    def change(self, path: str, function: Callable[[Tensor, Tensor], Tensor]) -> RemovableHandle:
        """Put ``function(input, output)`` behind a linear map; removing the handle takes it away."""
        return _after(self.linear(path), lambda inputs, output: function(inputs[0], output))

    @property
    def final_norm(self) -> nn.Module:
        """What the stream goes through after the last block; raises SeamError where it cannot be found."""
        trunk = self.model.get_submodule(self.blocks_path.rpartition(".")[0])
        for name in FINAL_NORM_NAMES:
            if isinstance(norm := getattr(trunk, name, None), nn.Module):
                return norm
        message = f"the norm after the last block of {type(self.model).__name__} cannot be found, so there is no lens."
        raise SeamError(message)

    @property
    def unembedding(self) -> nn.Module:
        """The map from the normed stream to logits; raises SeamError where the model has none."""
        model: Any = self.model
        found = model.get_output_embeddings()
        if found is None:
            message = f"{type(self.model).__name__} has no unembedding, so there is no lens."
            raise SeamError(message)
        return found

    def output_path(self, site: Site) -> str:
        """The linear map that ends the attention or the MLP of a block: what it is given are heads, or units.

        Raises:
            SeamError: the block has no such map.
        """
        self.check(site)
        part = _part(self.blocks[site.layer], "attention" if site.place == "attention" else "mlp")
        for path in self.linears:
            owner, _, name = path.rpartition(".")
            if name in OUTPUT_NAMES and self.model.get_submodule(owner) is part:
                return path
        message = f"the map that ends the {site} of {type(self.model).__name__} cannot be found."
        raise SeamError(message)

    def heads(self, layer: int) -> int:
        """In how many equal stretches, one a head, in order, the map that ends an attention is given its input.

        Raises:
            SeamError: the input cannot be divided like that.
        """
        config: Any = self.model.config
        heads = int(config.get_text_config().num_attention_heads)
        inputs = self.shape(self.output_path(Site(layer, "attention"))).inputs
        if inputs % heads:
            message = f"the {inputs} inputs that end the attention of layer {layer} are not those of {heads} heads."
            raise SeamError(message)
        return heads

    def norm_behind(self, site: Site) -> nn.Module | None:
        """The norm that stands between a part of a block and the stream; None where what it gives is added as it is."""
        found = _contribution(self.blocks[site.layer], site.place)
        return None if _is_part(found) else found

    @contextmanager
    def watched(self, layer: int) -> Generator[list[Tensor]]:
        """The states [batch, token, hidden] after a block, one a forward pass, until the block of code ends.

        They are what the block itself gives: functions at its site have not been at them.
        """
        self.check(Site(layer))
        found: list[Tensor] = []

        def watch(_inputs: Any, output: Any) -> Any:
            self._gives_tuple[layer] = isinstance(output, tuple)
            return _on_first(output, lambda state: found.append(state) or state)

        # Before the others: `resumed` gives the states to those again.
        handle = self.blocks[layer].register_forward_hook(
            lambda _module, inputs, output: watch(inputs, output), prepend=True
        )
        try:
            yield found
        finally:
            handle.remove()

    @contextmanager
    def resumed(self, layer: int, states: Tensor) -> Generator[None]:
        """Begin forward passes at a block: those before it are not run, and it is given ``states``.

        The states are what ``watched(layer - 1)`` gave for the same tokens, under the same edits of earlier blocks.
        What stands at the site of the block before is applied to them as in a whole pass: once.

        Raises:
            SeamError: the states after the block before were never watched.
        """
        if layer - 1 not in self._gives_tuple:
            message = f"a forward pass cannot begin at layer {layer}: the states before it were never watched."
            raise SeamError(message)
        given = (states,) if self._gives_tuple[layer - 1] else states
        # On the instances, so that the class, the hooks and what else a model asks of its blocks stay.
        skipped = [vars(self.blocks[number]) for number in range(layer)]
        before = [block.get("forward") for block in skipped]
        try:
            for block in skipped:
                block["forward"] = lambda *_args, **_kwargs: given
            yield
        finally:
            for block, forward in zip(skipped, before, strict=True):
                if forward is None:
                    block.pop("forward", None)
                else:
                    block["forward"] = forward


def _after(module: nn.Module, change: Callable[[Any, Any], Any]) -> RemovableHandle:
    def hook(_module: nn.Module, inputs: Any, output: Any) -> Any:
        return change(inputs, output)

    return module.register_forward_hook(hook)


def _on_first(output: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(output, tuple):
        return (function(output[0]), *output[1:])
    return function(output)


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def _find_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    config: Any = model.config
    expected = config.get_text_config().num_hidden_layers
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == expected:
            return path, module
    message = (
        f"{type(model).__name__} has no list of {expected} blocks: only decoders built as one stack are supported."
    )
    raise SeamError(message)


def _find_gate(block: nn.Module) -> nn.Module | None:
    return next(filter(None, map(_activation, block.children())), None)


def _is_part(module: nn.Module) -> bool:
    """Whether there are linear maps inside: a norm has none."""
    return any(_is_linear(inner) for inner in module.modules())


def _part(block: nn.Module, place: Place) -> nn.Module:
    """The attention or the MLP of a block."""
    for name, part in block.named_children():
        if _is_part(part) and not _is_linear(part) and (("att" in name) == (place == "attention")):
            return part
    message = f"the {place} of {type(block).__name__} is no part of its own, so what it adds cannot be told apart."
    raise SeamError(message)


def _contribution(block: nn.Module, place: Place) -> nn.Module:
    """What gives that which the attention or the MLP of a block adds to the stream."""
    part = _part(block, place)
    if not hasattr(block, "post_feedforward_layernorm"):
        return part
    # Everywhere else a norm of the first name stands before the MLP.
    name = "post_attention_layernorm" if place == "attention" else "post_feedforward_layernorm"
    return getattr(block, name, part)


def _activation(part: nn.Module) -> nn.Module | None:
    """The activation function of a gated MLP; None for any other part of a block."""
    if any(hasattr(part, name) for name in GATE_NAMES):
        for name in ACTIVATION_NAMES:
            activation = getattr(part, name, None)
            if isinstance(activation, nn.Module):
                return activation
    return None
