"""First-order estimates against what they estimate: finite differences of a model, and a read-out that is linear."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synergy_tui.ablation import first_order
from synergy_tui.ablation.first_order import Slopes, means, scores, slopes
from synergy_tui.bench.families import subject_of
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site, Units
from synergy_tui.subject.taps import Change, UnitsChanged, of_heads

TALKS = [([5, 9, 200, 31], [7, 90, 14, 3, 8]), ([1, 2], [3, 4, 250, 6]), ([40, 41, 42], [43, 44, 45])]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def log_probability(subject: Subject, prompt: list[int], response: list[int]) -> float:
    """Of the response, per token."""
    ids = torch.tensor([[*prompt, *response[:-1]]])
    logits = subject.model(ids, use_cache=False).logits[0, -len(response) :]
    said = logits.log_softmax(dim=-1).gather(1, torch.tensor(response)[:, None])
    return float(said.mean())


def towards(site: Site, place: int, mean: torch.Tensor, steps: int, share: float) -> Change:
    """Moves what a unit puts out at the last steps by a share of the way to its mean."""

    def change(value: torch.Tensor, chosen: torch.Tensor | None) -> torch.Tensor:
        out = value.clone()
        if chosen is not None:
            mine = chosen[-steps:] == place
            out[-steps:][mine] += share * (mean - out[-steps:][mine])
            return out
        parts = out.flatten(0, -2)[-steps:].unflatten(-1, (site.units, -1))
        parts[:, place] += share * (mean - parts[:, place])
        return out

    return change


@pytest.mark.parametrize(
    ("name", "kind"),
    [("llama", "head"), ("gemma2", "attention"), ("falcon", "mlp"), ("mixtral", "expert"), ("bamba", "ssm-head")],
)
@torch.no_grad()
def test_attribution_is_the_slope_of_the_way_to_the_mean(name, kind):
    subject = subject_of(name)
    units = subject.units((kind,))
    found = [slopes(subject, units, *one) for one in TALKS]
    mean = means(found)
    small = 3e-3  # of float32, less drowns in rounding
    for number in (0, len(units.sites) - 1):
        site, start = units.sites[number], units.starts[number]
        for place in (0, site.units - 1):
            centre = torch.from_numpy(mean[number][place])
            for one, (prompt, response) in zip(found, TALKS, strict=True):
                got = scores(units, mean, one)["attribution"][site.layer * units.per_layer + start + place]
                if not torch.isfinite(centre).all():
                    assert np.isnan(got)  # an expert that no step has chosen
                    continue
                ends = []
                for share in (small, -small):
                    change = towards(site, place, centre, len(response), share)
                    with UnitsChanged(units, {site.layer: [start + place]}, lambda *_, change=change: change):
                        ends.append(log_probability(subject, prompt, response))
                assert got == pytest.approx((ends[0] - ends[1]) / (2 * small), rel=5e-3, abs=2e-3)


def linear(steps: int = 6) -> tuple[Units, list[Slopes], list[torch.Tensor], torch.Tensor]:
    """Three heads that a linear map reads out: what removing one does is what the first order says."""
    torch.manual_seed(1)
    projection = torch.nn.Linear(12, 1, bias=False).requires_grad_(False)
    units = of_heads([projection], 3)
    given = [torch.randn(1, steps + 2, 12) for _ in range(4)]
    found = []
    for one in given:
        with first_order._nudged(units) as heard:
            projection(one)[0, -steps:].sum().backward()
        sums = first_order._summed(units.sites[0], *heard[0], steps)
        found.append(Slopes(steps, *([part] for part in sums)))
    return units, found, [one[0, -steps:].unflatten(-1, (3, 4)) for one in given], projection.weight.view(3, 4)


def test_of_a_linear_read_out_both_are_exact():
    units, found, given, weight = linear()
    mean = means(found)
    centre = torch.cat(given).mean(dim=0)
    np.testing.assert_allclose(mean[0], centre, rtol=1e-5, atol=1e-6)
    for one, output in zip(found, given, strict=True):
        got = scores(units, mean, one)
        removed = (output * weight).sum(dim=-1)  # by how much the read-out falls at each step without the head
        np.testing.assert_allclose(got["grad-activation"], removed.abs().mean(dim=0), rtol=1e-5)
        moved = ((centre - output) * weight).sum(dim=-1).mean(dim=0)
        np.testing.assert_allclose(got["attribution"], moved, rtol=1e-4, atol=1e-6)


def test_a_part_of_a_job_comes_back_as_it_was():
    units, found, *_ = linear()
    again = [Slopes.of(one.arrays()) for one in found]
    mean = means(again)
    for one, other in zip(found, again, strict=True):
        for name, values in scores(units, mean, other).items():
            np.testing.assert_array_equal(values, scores(units, mean, one)[name])


def test_a_block_whose_output_is_normalised_afterwards_has_no_slope_along_itself():
    """Gemma 2 normalises what a block puts out: its length means nothing, so z·∂L/∂z is 0 (Euler)."""
    subject = subject_of("gemma2")
    units = subject.units(("mlp",))
    one = slopes(subject, units, *TALKS[0])
    whole = np.concatenate(one.size)
    assert (whole < 1e-4 * max(np.abs(part).max() for part in one.slope)).all()
