"""x"""

from __future__ import annotations

import numpy as np

from synergy_tui.analysis import bootstrap, claims, conditions, effects, nulls, profile, scores
from synergy_tui.analysis.claims import Contrast
from synergy_tui.analysis.nulls import UnitDraws
from synergy_tui.bench.planted import LAYERS, Planted
from synergy_tui.phiid import decompose
from synergy_tui.phiid.moments import NullBlock
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.result import mean_of
from synergy_tui.phiid.windows import response_lengths
from synergy_tui.terms import NULLS, RANKINGS


def judged(data: Planted, draws: int = 99, seed: int = 0, replicates: int = 300, layers: int = LAYERS):
    series = data.series
    found = decompose(series)
    values = scores.unit_values(found.unit, found.unit_offset, found.unit_balance)
    ranking = RANKINGS[0]
    parts = (found.unit_prompt, found.unit_prompt_offset, found.unit_balance, found.unit_pairs)
    ends = bootstrap.intervals(ranking, values, *parts, layers, seed, replicates)
    shown = profile.profile(scores.scaled(scores.ranking(ranking, values)), layers)
    sides = {n: (float(v), float(l), float(h)) for n, v, l, h in zip(profile.SIDES, profile.sides(shown), *ends.sides)}
    pair_tests, unit_tests, eff = [], [], {}
    cond = None
    for null in NULLS:
        engine = NullEngine(series, null, seed, data.categories)
        if engine.exchange is not None:
            cond = conditions.conditions(series, response_lengths(series), engine.exchange.blocks, 1, seed)
        block = NullBlock.merge([engine.block(k, draws) for k in range(len(engine))])
        m = block.moments
        pair_tests.append(nulls.tested(block.observed, m.mean, m.sd, m.skewness, m.count, block.counts))
        ps = [block.observed_units, *block.units]
        atoms = np.stack([mean_of(o.atoms, o.pairs[:, None]) for o in ps])
        bal = np.stack([mean_of(o.balance, o.balance_prompts) for o in ps])
        drawn = UnitDraws(atoms[0], bal[0], atoms[1:], bal[1:])
        unit_tests.append(nulls.units_tested(drawn))
        eff[null] = effects.effects(block.by_prompt, drawn, layers, seed)[ranking]
    pp, up = nulls.coupled_p(pair_tests), nulls.coupled_p(unit_tests)
    bad = cond.misleading()
    one = Contrast(float(profile.contrast(shown)), *map(float, ends.contrast), sides, eff)
    c = claims.c1({ranking: one}, ranking, len(series), bad)
    keep = 0 if bad else 1
    return {
        "pairs": keep * float((pp[:, 0] < 0.05).mean()),
        "units": keep * float((up[:, 0] < 0.05).mean()),
        "rtr": keep * float((pp[:, 1] < 0.05).mean()),
        "pair q": keep * float((nulls.benjamini_hochberg(pp[:, 0]) < 0.05).mean()),
        "unit q": keep * float((nulls.benjamini_hochberg(up[:, 0]) < 0.05).mean()),
        "withheld": bool(bad),
        "cond": cond,
        "C1": c.verdict[:12],
        "claim": c,
        "contrast": one.value,
        "ends": (one.low, one.high),
        "sides": sides,
        "difference": [eff[n].difference for n in NULLS],
        "eff": eff,
    }
