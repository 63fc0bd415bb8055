"""A model → its sites: in every layer, the module at whose input or output the units of a kind can be told apart. A dry
pass finds them by what modules do, not by their names."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from synergy_tui.errors import SubjectError
from synergy_tui.subject.families import MLP_NAMES, Family
from synergy_tui.terms import HEADS


@dataclass(frozen=True)
class Site:
    """Units of one kind in one layer. modules: the units are at the first module's input (head, ssm-head: the output
    projection), at the sum of all outputs (attention, mlp), or inside the module (expert). width: of one unit's output,
    0 for a whole block."""

    layer: int
    kind: str
    modules: tuple[Any, ...]
    units: int
    width: int
    held: range | None = None

    @property
    def here(self) -> range:
        """The units that this process has."""
        return range(self.units) if self.held is None else self.held

    @property
    def is_block(self) -> bool:
        """Whether its one unit is the whole output of its modules, not a part of it."""
        return not self.is_heads and self.kind != "expert"

    @property
    def is_heads(self) -> bool:
        """Whether its units are side by side at the input of its module."""
        return self.kind in HEADS


@dataclass(frozen=True)
class Units:
    """Sites as one map [layers, per_layer], in the order of the layers and, within a layer, of the pass. If layers
    differ in their number of units, the empty places are at the layers' ends. Units are numbered layer × per_layer +
    place. embeddings: the module that shows how many sequences of how many tokens a pass covers."""

    sites: tuple[Site, ...]
    layers: int
    embeddings: Any

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The place of each site's first unit in its layer."""
        filled = [0] * self.layers
        out = []
        for site in self.sites:
            out.append(filled[site.layer])
            filled[site.layer] += site.units
        return tuple(out)

    @cached_property
    def per_layer(self) -> int:
        """The largest number of units in a layer."""
        return max(start + site.units for start, site in zip(self.starts, self.sites, strict=True))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of unit that exist."""
        return tuple(dict.fromkeys(site.kind for site in self.sites))

    @cached_property
    def kind_of(self) -> np.ndarray:
        """[layers, per_layer] the kind at each place, '' for a place without a unit."""
        out = np.full((self.layers, self.per_layer), "", dtype=object)
        for start, site in zip(self.starts, self.sites, strict=True):
            out[site.layer, start : start + site.units] = site.kind
        return out

    @property
    def present(self) -> Bool[np.ndarray, "layers per_layer"]:
        """Which places have a unit."""
        return self.kind_of != ""


def find(model: Any, family: Family) -> list[Site]:
    """All sites of a model, in the order in which a pass over two tokens meets them. Raises SubjectError when the
    layers or the heads cannot be found, RuntimeError when the pass fails."""
    layers = decoder_layers(model)
    noted: list[Site] = []
    current: list[int] = []
    pending: list[tuple[int, Tensor]] = []
    handles: list[Any] = []

    def attended(_: Any, out: Tensor) -> None:
        """[batch, steps, heads, width], as the attention interface gives it."""
        if current:
            pending[:] = [(current[-1], out.detach())]

    def leaf(module: nn.Module, args: tuple[Any, ...]) -> None:
        """Heads can be told apart at the first module whose input is exactly their outputs side by side."""
        if not (pending and args and isinstance(args[0], Tensor)):
            return
        layer, heads = pending[0]
        if args[0].shape[-1] == heads.shape[2] * heads.shape[3] and torch.equal(args[0].reshape(-1), heads.reshape(-1)):
            noted.append(Site(layer, "head", (module,), heads.shape[2], heads.shape[3]))
            pending.clear()

    def note(layer: int, kind: str, modules: tuple[Any, ...], units: int) -> Callable[..., None]:
        def call(_: Any, args: tuple[Any, ...]) -> None:
            width = args[0].shape[-1]
            if width % units:
                raise SubjectError(
                    f"{type(modules[0]).__name__} of layer {layer} takes {width} values, no multiple of {units} heads",
                    "mend [families] in config.toml",
                )
            noted.append(Site(layer, kind, modules, units, width // units))

        return call

    try:
        for number, layer in enumerate(layers):
            handles.append(layer.register_forward_pre_hook(lambda *_, number=number: current.append(number)))
            handles.append(layer.register_forward_hook(lambda *_: current.clear()))
            if family.attention:
                projection = _inside(layer, family.attention)
                if projection is not None:
                    heads = family.heads or text_config(model).num_attention_heads
                    handles.append(projection.register_forward_pre_hook(note(number, "head", (projection,), heads)))
            for module in layer.modules():
                if not family.attention and not any(True for _ in module.children()):
                    handles.append(module.register_forward_pre_hook(leaf))
                if _is_mixer(module):
                    took = note(number, "ssm-head", (module.out_proj,), module.num_heads)
                    handles.append(module.out_proj.register_forward_pre_hook(took))
                if _holds_experts(module):
                    took = note(number, "expert", (module,), 1)
                    handles.append(module.register_forward_pre_hook(took))
        with torch.inference_mode(), _attention_told(attended):
            model(input_ids=torch.ones((1, 2), dtype=torch.long, device=model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()

    sites = []
    for site in noted:
        if site.kind == "expert":
            site = Site(site.layer, site.kind, site.modules, site.modules[0].num_experts, site.width)
        sites.append(site)
        if site.kind == "head":
            sites.append(Site(site.layer, "attention", site.modules, 1, 0))
    sites += [Site(number, "mlp", found, 1, 0) for number, layer in enumerate(layers) if (found := _mlp(layer, family))]
    if not any(site.is_heads for site in sites):
        raise SubjectError(
            f"no heads are found in {type(model).__name__}: it calls no attention interface that ends in a projection",
            f'say where they are in config.toml: [families.{model.config.model_type}] attention = "self_attn.o_proj"',
        )
    return sites


def decoder_layers(model: Any) -> list[nn.Module]:
    """The layers of a model, first layer first. Raises SubjectError when there is no such list."""
    count = text_config(model).num_hidden_layers
    base = model.get_decoder() if hasattr(model, "get_decoder") else None
    for module in (base if isinstance(base, nn.Module) else model.base_model).modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return list(module)
    raise SubjectError(f"no list of {count} layers in {type(model).__name__}", "report it as an issue")


def text_config(model: Any) -> Any:
    """The part of a model's configuration that is about text."""
    return model.config.get_text_config(decoder=True)


@contextlib.contextmanager
def _attention_told(tell: Callable[[Any, Tensor], None]) -> Iterator[None]:
    """Within the context, `tell` receives every call of transformers' attention interface, whichever implementation is
    in use: (module, output [batch, steps, heads, width])."""

    def listening(inner: Any) -> Any:
        def attend(module: Any, *args: Any, **kwargs: Any) -> Any:
            # `eager` has no entry, because every family brings its own.
            function = inner or sys.modules[type(module).__module__].eager_attention_forward
            out = function(module, *args, **kwargs)
            tell(module, out[0])
            return out

        return attend

    before = {name: ALL_ATTENTION_FUNCTIONS.get(name) for name in ("eager", *ALL_ATTENTION_FUNCTIONS)}
    try:
        for name, function in before.items():
            ALL_ATTENTION_FUNCTIONS[name] = listening(function)
        yield
    finally:
        for name in before:
            del ALL_ATTENTION_FUNCTIONS[name]


def _is_mixer(module: Any) -> bool:
    """Whether a module is a Mamba2 mixer, whatever its name: it has a decay for each head, and a projection of all
    heads."""
    decay = getattr(module, "A_log", None)
    whole = all(hasattr(module, name) for name in ("num_heads", "head_dim", "out_proj"))
    return whole and isinstance(decay, Tensor) and decay.shape == (module.num_heads,)


def _holds_experts(module: Any) -> bool:
    """Whether a module holds experts fused into one tensor, called with hidden states, the experts chosen for each
    token and their weights."""
    down = getattr(module, "down_proj", None)
    # Reads the class's signature: a module divided over processes has its own forward that takes anything.
    if len(inspect.signature(type(module).forward).parameters) < 4:  # Llama 4 gives every expert every token
        return False
    return isinstance(down, Tensor) and down.dim() == 3 and down.shape[0] == getattr(module, "num_experts", None)


def _mlp(layer: nn.Module, family: Family) -> tuple[nn.Module, ...]:
    """The modules that add up to a layer's MLP block; empty if it has none."""
    if family.mlp is not None:
        return tuple(one for path in family.mlp if (one := _inside(layer, path)) is not None)
    return next(((one,) for name in MLP_NAMES for one in _named(layer, name)), ())


def _named(layer: nn.Module, name: str) -> list[nn.Module]:
    """The layer's own part of that name, or that of an inner part that acts as the layer (as in Zamba2)."""
    own = getattr(layer, name, None)
    if isinstance(own, nn.Module):
        return [own]
    return [one for part in layer.children() if isinstance(one := getattr(part, name, None), nn.Module)]


def _inside(layer: nn.Module, path: str) -> nn.Module | None:
    try:
        return layer.get_submodule(path)
    except AttributeError:
        return None
