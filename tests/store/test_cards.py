"""Which card is shown for which run."""

from __future__ import annotations

from pathlib import Path

import pytest

from synergy_tui.store import cards
from synergy_tui.store.cache import Cache
from synergy_tui.terms import METHOD_FIELDS


@pytest.mark.slow
@pytest.mark.parametrize("field", METHOD_FIELDS)
def test_a_run_by_another_method_is_not_shown_the_card_of_this_one(field: str, made: Path) -> None:
    """In particular one with pooled prompts, or in float32."""
    cache = Cache.open(made)
    other = {"lag": "2", "pool": "'pooled'", "precision": "'float32'", "estimator": "'discrete'"}
    other |= {"redundancy": "'ccs'", "preprocess": "'log'", "bias": "'analytic'", "compared": "'0:1'"}
    with cache.write() as con:
        con.execute("INSERT INTO cards (card, decomposition, capture) VALUES ('k1', 'd6x4', 'c6x4')")
        for name, value in (("dsame", "same"), ("dother", other[field])):
            changed = f"'{name}' AS decomposition" + ("" if value == "same" else f", {value} AS {field}")
            con.execute(f"INSERT INTO decompositions SELECT * REPLACE ({changed}) FROM decompositions LIMIT 1")
    assert cards.newest_card(cache, "d6x4") == "k1"
    assert cards.newest_card(cache, "dsame") == "k1"
    assert cards.newest_card(cache, "dother") is None
