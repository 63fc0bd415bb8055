"""What the numbers mean and what to doubt about them: the words behind `?` and the list of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synergy_tui.terms import ATOMS, BASELINE_MEANINGS, RANKING_MEANINGS, TESTS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run

_SIDES = {"r": "redundant", "x": "unique to the unit", "y": "unique to its partner", "s": "synergistic"}

MEANINGS = (
    RANKING_MEANINGS
    | BASELINE_MEANINGS
    | {
        "tdmi": "time-delayed mutual information with all partners, in nats: the sum of the atoms.",
        "offset": "2·min(AIS), in nats: the synergy of two independent units with this autocorrelation.",
        "autocorrelation": "how much a unit's activity resembles itself one lag later.",
        "norm": "mean activity: the L2 norm of the head's own output.",
        "divergence": "KL(intact ‖ ablated) when this unit alone is removed, nats per token.",
    }
    | {
        atom: f"information {_SIDES[atom[0]]} in the past, {_SIDES[atom[2]]} in the future; mean over partners, nats."
        for atom in ATOMS
    }
)
MEANINGS |= {name: f"{text[0].lower()}{text[1:]}" for name, text in TESTS.items()}
MEANINGS["p"] += " From the unit's place among the draws of all units. None where the data mislead every null."
MEANINGS["sts"] = "synergy that stays synergy: carried by two units jointly, before and after; nats."
MEANINGS["rtr"] = "redundancy that stays redundancy: carried by each of two units alone, before and after; nats."

DOUBTS = {
    "synergy~redundancy": "In brains synergy and redundancy oppose each other (r about −0.4). A high positive r says "
    "that both follow something third, such as how strongly a unit remembers itself.",
    "synergy~autocorrelation": "MMI counts self-prediction as synergy: two independent units with memory have sts of "
    "2·min(AIS). An r near 1 says that the map may show memory alone.",
    "excess~autocorrelation": "Excess takes the independent part away and still follows autocorrelation, the other way "
    "round: read differences in excess beside differences in memory.",
    "rankings": "How much of the top quarter the rankings share. Where it is little, `the core` depends on it.",
    "memory varies": "Autocorrelation that varies between prompts for all units together looks like coupling to "
    "prompt-shuffle; a unit is called coupled only where window-roll says so too.",
    "shared volatility": "Where units are loud and quiet together, with signs of their own, both nulls take it for "
    "coupling: p and q are then withheld.",
    "likeness of responses": "Where groups of prompts have a time course of their own, both nulls take it for "
    "coupling: p and q are then withheld.",
    "course common": "Where memory varies over prompts and there is a course common to all of them, both nulls reject "
    "the redundancy of independent units: its p and q are then withheld.",
    "prompts outside": "Responses that cannot be exchanged with others without cutting those short take no part in "
    "the nulls.",
    "prompts repeated": "Prompts that are the same count once.",
    "prompts too short": "Their responses are shorter than --min-steps and are left out.",
    "values exactly 0": "Measured atoms are hardly ever exactly 0: in the imported table they may stand for failures.",
    "values below 0": "Under MMI neither sts nor rtr is ever below 0: the imported table is of another redundancy "
    "function, or corrected for bias, or of no atoms.",
    "values missing": "Pairs × questions that the imported table does not list.",
    "values empty": "Pairs × questions whose cells in the imported table are empty or no finite number: invalid.",
    "few prompts": "Below ten prompts halves of a run hardly agree: take nothing here for stable.",
    "null": "A map of raw synergy is no evidence of integration. Surrogates keep each unit's own course and break what "
    "units have in common; without them excess is against the independence offset. n decomposes with surrogates.",
    "split-half": "Spearman's ρ between the ranking from either half of the prompts. A model with random "
    "weights can have a high one: reliable is not the same as learned.",
}


def doubt_of(run: Run, score: str) -> list[str]:
    """The doubts that bear on a score in this run."""
    follows = run.confounds.get("synergy~autocorrelation")
    out = []
    if run.partial is not None:
        return ["This map is still growing: it has no null, no interval and no confounds yet."]
    if follows is not None and score not in ("norm", "autocorrelation"):
        out.append(f"In this run unit synergy follows autocorrelation with r {follows:+.2f}. {_memory(follows)}")
    half = run.confounds.get("split-half Spearman")
    if half is not None:
        out.append(f"Two halves of the prompts agree with ρ {half:+.2f} on the default ranking.")
    if run.row.get("valid_prompts") is not None and run.row["valid_prompts"] < 10:
        out.append(f"Only {run.row['valid_prompts']} prompts are behind it: take nothing here for stable.")
    return out


def _memory(follows: float) -> str:
    if abs(follows) > 0.5:
        return "High synergy may say no more than that the unit remembers itself; compare excess."
    return "Memory alone does not explain the map."
