"""Where the activity of units is read, and where interventions act. Heads: the *input* of the output projection, which
is their outputs side by side (its output has already mixed them). Experts: inside the module that holds them. Attention
and MLP blocks: their outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synergy_tui.subject import ranks
from synergy_tui.subject.sites import Site, Units


class _Hooks:
    """Hooks that exist within the context."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


class UnitTap(_Hooks):
    """Within the context, every forward pass leaves the units' norms in `norms`.

    `last`: only the last position, [layers, batch, per_layer] per pass; otherwise all, [layers, batch, steps,
    per_layer]. NaN at places without a unit. If several processes hold the model, each takes the norms of its own
    heads, and only norms are gathered, so that all processes have all of them. Experts are told apart by computing
    their weighted outputs one by one and adding them up here: in bf16 this rounds each output once more than the
    untapped model does.
    """

    def __init__(self, units: Units, last: bool) -> None:
        super().__init__()
        self._units, self._last = units, last
        self._kept: dict[int, Tensor] = {}
        self._alike: list[tuple[bool, Site, list[int]]] = []
        self._shape = (0, 0)
        self._regular = [site.layer for site in units.sites] == list(range(units.layers))

    def __enter__(self) -> UnitTap:
        if any(
            site.kind == "expert" or site.is_block for site in self._units.sites
        ):  # some receive tokens without a batch axis
            self._handles.append(self._units.embeddings.register_forward_hook(self._begin))
        for number, site in enumerate(self._units.sites):
            self._handles += _heard(site, self._keeper(number, site))
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._kept = {}

    def norms(self) -> Tensor:
        """fp32 norms of the last pass, on the device of the first site; forgets the pass. Raises RuntimeError when a
        site was not passed."""
        kept, self._kept = self._kept, {}
        sites = self._units.sites
        if len(kept) != len(sites):
            raise RuntimeError(f"{len(kept)} of {len(sites)} places were passed")
        if not self._alike:  # checked once: reading the shapes of thirty values costs as much as the norm
            alike: dict[Any, list[int]] = {}
            for number, site in enumerate(sites):
                value = kept[number]
                done = site.kind == "expert" or not self._last
                alike.setdefault((done, site.units, site.held, value.shape, value.device), []).append(number)
            self._alike = [(key[0], sites[numbers[0]], numbers) for key, numbers in alike.items()]
        found = []
        for done, site, numbers in self._alike:
            value = torch.stack([kept[number] for number in numbers])
            norms = value if done else head_norms(value, len(site.here))
            found.append(norms if site.held is None else ranks.gathered(norms))
        if len(found) == 1 and self._regular:
            return found[0]
        out = found[0].new_full(
            (self._units.layers, *found[0].shape[1:-1], self._units.per_layer), float("nan"), dtype=torch.float32
        )
        for norms, (_, _, numbers) in zip(found, self._alike, strict=True):
            for one, number in zip(norms, numbers, strict=True):
                start = self._units.starts[number]
                out[sites[number].layer, ..., start : start + sites[number].units] = one
        return out

    def _begin(self, _: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        self._shape = (out.shape[0], out.shape[1])

    def _keeper(self, number: int, site: Site) -> Callable[[Tensor], None]:
        # A reference costs 1 µs and a norm 9, so one norm over all layers is taken at the end of the pass. The copy of
        # a long prompt's last position frees the rest; a block's output must be copied because Falcon adds the residual
        # into it.
        block = site.is_block

        def keep_last(value: Tensor) -> None:
            value = self._by_prompt(value)
            self._kept[number] = value[:, -1].clone() if block or value.shape[1] > 1 else value[:, 0]

        def keep_norms(value: Tensor) -> None:
            value = self._by_prompt(value)
            self._kept[number] = value if site.kind == "expert" else head_norms(value, len(site.here))

        return keep_last if self._last else keep_norms

    def _by_prompt(self, value: Tensor) -> Tensor:
        return value if value.dim() == 3 else value.unflatten(0, self._shape)


def head_norms(value: Float[Tensor, "*rest width"], heads: int) -> Float[Tensor, "*rest heads"]:
    """L2 norm of each head's slice, accumulated in fp32 whatever the model runs in (docs/method.md, section 1)."""
    wide = value.dtype if value.dtype == torch.float64 else torch.float32
    return torch.linalg.vector_norm(value.unflatten(-1, (heads, -1)), dim=-1, dtype=wide).float()


Change = Callable[[Tensor, Any], Tensor]
"""The output of a site's units, side by side [..., units × width], → their output instead. For experts: each chosen
expert's weighted output [tokens, chosen, width] and the experts' numbers [tokens, chosen]; None for other kinds."""


class UnitsChanged(_Hooks):
    """Within the context, `change(number of the site, site, places in it)` decides the output of the given units,
    {layer: places}: heads at the input of their projection, experts before they are added up, blocks at their output.
    """

    def __init__(
        self,
        units: Units,
        removed: Mapping[int, Sequence[int]],
        change: Callable[[int, Site, list[int]], Change],
    ) -> None:
        super().__init__()
        self._units, self._removed, self._change = units, removed, change

    def __enter__(self) -> UnitsChanged:
        for number, site, places in sites_of(self._units, self._removed):
            self._handles += changed(site, self._change(number, site, places))
        return self


class UnitsRemoved(UnitsChanged):
    """Within the context, the output of the given units is 0."""

    def __init__(self, units: Units, removed: Mapping[int, Sequence[int]]) -> None:
        super().__init__(units, removed, _silence)


def sites_of(units: Units, removed: Mapping[int, Sequence[int]]) -> list[tuple[int, Site, list[int]]]:
    """(number of the site, site, which of its own units) for the sites that lose some. removed: layer → places."""
    found = []
    for number, (start, site) in enumerate(zip(units.starts, units.sites, strict=True)):
        places = [one - start for one in removed.get(site.layer, ()) if 0 <= one - start < site.units]
        if places:
            found.append((number, site, places))
    return found


def changed(site: Site, change: Change) -> list[Any]:
    """Hooks that replace the output of the site's units by the result of `change`."""
    if site.kind == "expert":
        return [_ExpertByExpert(site.modules[0], change)]
    if site.is_heads:
        return [site.modules[0].register_forward_pre_hook(lambda _, args: (change(args[0], None), *args[1:]))]
    parts: list[Tensor] = []

    def part(_: nn.Module, args: Any, out: Any) -> Any:
        # If parts add up to a block, the last part returns the whole and the others nothing.
        parts.append(_first(out))
        new = torch.zeros_like(parts[-1])
        if len(parts) == len(site.modules):
            new = change(parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0), None)
            parts.clear()
        return new if isinstance(out, Tensor) else (new, *out[1:])

    return [module.register_forward_hook(part) for module in site.modules]


def _heard(site: Site, take: Callable[[Tensor], None]) -> list[Any]:
    """Hooks that pass the output of the site's units to `take`: side by side, and experts' norms [tokens, experts]."""
    if site.is_heads:
        return [site.modules[0].register_forward_pre_hook(lambda _, args: take(args[0]))]
    if site.kind == "expert":

        def norms(each: Tensor, chosen: Tensor) -> Tensor:
            length = torch.linalg.vector_norm(each, dim=-1, dtype=torch.float32)
            take(length.new_zeros(len(chosen), site.units).scatter_(1, chosen, length))
            return each

        return [_ExpertByExpert(site.modules[0], norms)]
    parts: list[Tensor] = []

    def part(_: nn.Module, args: Any, out: Any) -> None:
        parts.append(_first(out))
        if len(parts) == len(site.modules):
            value = parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0)
            parts.clear()
            take(value)

    return [module.register_forward_hook(part) for module in site.modules]


def _silence(_: int, site: Site, places: list[int]) -> Change:
    made: list[Tensor] = []

    def kept(like: Tensor) -> Tensor:
        if not made:  # weights may be quantised, so only a value shows the type and the device
            made.append(torch.ones(site.units, dtype=like.dtype, device=like.device))
            made[0][places] = 0
            made[0] = made[0][site.here.start : site.here.stop]
        return made[0]

    if site.kind == "expert":
        return lambda each, chosen: each * kept(each)[chosen][..., None]
    if site.is_block:
        return lambda value, _: torch.zeros_like(value)
    return lambda value, _: (value.unflatten(-1, (len(site.here), -1)) * kept(value)[:, None]).flatten(-2)


class _ExpertByExpert:
    """Gives `change` each chosen expert's weighted output [tokens, chosen, width] with the experts' numbers [tokens,
    chosen], and adds up what it returns. This works with any implementation: the module is called with every token once
    per chosen expert, one expert each. Several changes of one module are applied one after another."""

    _OF = "_synergy_tui_changes"

    def __init__(self, experts: Any, change: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._experts, self._change = experts, change
        changes = experts.__dict__.setdefault(self._OF, {"made": [], "hooks": []})
        if not changes["made"]:
            waiting: list[Tensor] = []

            def apart(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
                value, chosen, weights, *rest = (*args, *kwargs.values())
                waiting.append(chosen)
                count = chosen.shape[-1]
                return (value.repeat_interleave(count, dim=0), chosen.reshape(-1, 1), weights.reshape(-1, 1), *rest), {}

            def together(_: nn.Module, args: Any, out: Tensor) -> Tensor:
                chosen = waiting.pop()
                each = out.unflatten(0, chosen.shape)
                for one in changes["made"]:
                    each = one(each, chosen)
                return each.sum(dim=1, dtype=torch.float32).to(out.dtype)

            changes["hooks"] = [
                experts.register_forward_pre_hook(apart, with_kwargs=True),
                experts.register_forward_hook(together),
            ]
        changes["made"].append(change)

    def remove(self) -> None:
        """Like the handle of a hook."""
        changes = self._experts.__dict__[self._OF]
        changes["made"].remove(self._change)
        if not changes["made"]:
            for hook in changes["hooks"]:
                hook.remove()


def _first(out: Any) -> Tensor:
    return out if isinstance(out, Tensor) else out[0]


def of_heads(projections: Sequence[nn.Module | None], heads: int) -> Units:
    """Heads at output projections, one for each layer that has one."""
    sites = tuple(Site(k, "head", (one,), heads, 0) for k, one in enumerate(projections) if one is not None)
    return Units(sites, len(projections), None)


class HeadTap(UnitTap):
    """A tap of attention heads only."""

    def __init__(self, projections: Sequence[nn.Module], heads: int, last: bool) -> None:
        super().__init__(of_heads(projections, heads), last)


class HeadsRemoved(UnitsRemoved):
    """The same for attention heads only."""

    def __init__(self, projections: Sequence[nn.Module], heads: int, removed: Mapping[int, Sequence[int]]) -> None:
        super().__init__(of_heads(projections, heads), removed)
