"""Six families of tasks → the shipped ladders, each prompt from its own seed: python -m synergy_tui.tasks.ladder_made
FOLDER writes them anew, equal to the byte. Every family begins with tasks that a small model may be able to do."""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LEVELS, PROMPTS = 8, 40

_WORDS = (
    "ant apple arm bag ball band bank barn bath bear bed bell bird boat body bone book boot box boy brick bridge "
    "broom bush cake camp card cat chair clock cloud coat coin corn cow crab cup desk dish dog door dress drum "
    "duck ear egg eye face farm fence field fire fish flag floor flower fork fox frog fruit game garden gate "
    "girl glass goat gold grape grass hand hat head hill home horse house ice ink iron jam jar juice key king "
    "kite knife lake lamp leaf leg lemon light lion map milk moon mouse nail neck nest night nose nut oak ocean "
    "oil onion oven owl page paint pan park pear pen pig pine plane plant plate pond pot queen rain ring river "
    "road rock roof room root rope rose sail salt sand scarf school seed sheep ship shirt shoe shop sky snow "
    "soap sock song soup spoon star stone storm street sun table tail tea tent tiger toe tooth town train tree "
    "truck uncle valley van wall watch water wave wheel wind window wing wolf wood yard zebra zoo"
)

_NAMES = "Ann Bob Cara Dan Eve Finn Gail Hugo Iris Jack Kate Leo Mona Nick Olga Paul Rosa Sam Tina Will"

WORDS, NAMES = tuple(_WORDS.split()), tuple(_NAMES.split())

Made = tuple[str, str]
"""A prompt's text and its answer."""


def arithmetic_chain(level: int, chance: random.Random) -> Made:
    """More terms and larger numbers; from level 4 on with subtraction."""
    terms, largest = ((2, 9), (2, 20), (3, 9), (3, 20), (4, 50), (5, 99), (6, 999), (8, 9999))[level - 1]
    numbers = [chance.randint(1, largest) for _ in range(terms)]
    if level == 1:
        numbers[1] = chance.randint(1, 10 - min(numbers[0], 9))
    if level == 2:
        numbers = [chance.randint(2, 9), chance.randint(10, 20)]
    signs = ["+"] + [chance.choice("+-") if level >= 4 else "+" for _ in numbers[1:]]
    text = str(numbers[0]) + "".join(f" {sign} {one}" for sign, one in zip(signs[1:], numbers[1:], strict=True))
    value = sum(one if sign == "+" else -one for sign, one in zip(signs, numbers, strict=True))
    return f"Explain step by step how to calculate {text} and give the result.", str(value)


def base_conversion(level: int, chance: random.Random) -> Made:
    """First a digit that does not change, then short and long numbers, at last between two bases other than ten."""
    low, high, targets, sources = (
        (1, 9, range(10, 17), (10,)),
        (10, 15, range(11, 17), (10,)),
        (2, 15, (2, 3, 4, 5), (10,)),
        (16, 63, (2, 4, 8), (10,)),
        (64, 127, (2, 3, 8, 16), (10,)),
        (128, 1023, range(3, 10), (10,)),
        (128, 2047, range(2, 17), range(2, 10)),
        (2048, 65535, range(2, 17), range(2, 17)),
    )[level - 1]
    value, target = chance.randint(low, high), chance.choice(tuple(targets))
    if level == 2:
        target = chance.randint(value + 1, 36) if chance.random() < 0.5 else max(value + 1, target)
    source = chance.choice([one for one in sources if one != target] or [10])
    asked = f"Convert the base-{source} number {_in_base(value, source)} to base {target}. "
    return f"{asked}Begin with the answer, then explain it in two sentences.", _in_base(value, target)


def _in_base(value: int, base: int) -> str:
    out = ""
    while value:
        value, digit = divmod(value, base)
        out = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + out
    return out or "0"


def letter_counting(level: int, chance: random.Random) -> Made:
    """One short word, a longer one, then more and more words; the letter appears at least once."""
    count = (1, 1, 2, 3, 4, 6, 9, 12)[level - 1]
    pool = [word for word in WORDS if (len(word) == 3 if level == 1 else len(word) >= 5 if level == 2 else True)]
    words = chance.sample(pool, count)
    letter = chance.choice(sorted(set("".join(words))))
    asked = f'How many times does the letter "{letter}" appear in "{" ".join(words)}"? '
    return f"{asked}Begin with the answer, then explain how you counted.", str("".join(words).count(letter))


def propositional_logic(level: int, chance: random.Random) -> Made:
    """A growing chain of implications from a fact to the question, with premises in any order; from level 3 on with
    negations, from level 5 on with implications that lead nowhere. The answer always follows."""
    steps, negated, idle = ((0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 1, 0), (4, 2, 1), (5, 2, 2), (6, 3, 3), (8, 4, 4))[
        level - 1
    ]
    names = chance.sample("ABCDEFGHJKLMNPQRSTUVWXYZ", steps + 1 + 2 * idle)
    chain, rest = names[: steps + 1], names[steps + 1 :]
    truth = [chance.random() < 0.5 if level < 3 and steps == 0 else True for _ in chain]
    for place in chance.sample(range(steps + 1), negated):
        truth[place] = False
    if level == 2:
        truth[1] = chance.random() < 0.5
    premises = [f"{chain[0]} is {_true(truth[0])}."]
    for place in range(steps):
        first, then = (f"{chain[k]} is {_true(truth[k])}" for k in (place, place + 1))
        premises.append(f"If {first}, then {then}.")
    for place in range(idle):
        premises.append(f"If {rest[2 * place]} is true, then {rest[2 * place + 1]} is {_true(chance.random() < 0.5)}.")
    chance.shuffle(premises)
    last = chain[-1]
    said = chance.random() < 0.5
    asked = f"{' '.join(premises)} Is {last} {_true(said)}? Begin with yes or no, then explain your reasoning."
    return asked, "yes" if truth[-1] == said else "no"


def _true(value: bool) -> str:
    return "true" if value else "false"


def knights_and_knaves(level: int, chance: random.Random) -> Made:
    """Who tells the truth: first one person about numbers, then two to seven people about each other. Their statements
    have one solution."""
    asked = "Knights always tell the truth and knaves always lie. "
    if level == 1:
        name, a, b = chance.choice(NAMES), chance.randint(1, 9), chance.randint(1, 9)
        knight = chance.random() < 0.5
        total = a + b + (0 if knight else chance.choice((-1, 1, 2)))
        said = f'{name} says: "{a} plus {b} is {total}." '
        return f"{asked}{said}Is {name} a knight or a knave? Explain, and name it.", f"{name} {_role(knight)}"
    people = level if level < 8 else 8
    names = chance.sample(NAMES, people)
    while True:
        claims = [_claim(speaker, people, level, chance) for speaker in range(people)]
        worlds = [
            world
            for world in itertools.product((True, False), repeat=people)
            if all(_holds(claim, world) == world[speaker] for speaker, claim in enumerate(claims))
        ]
        if len(worlds) == 1:
            break
    told = " ".join(f'{names[k]} says: "{_words(claim, names)}"' for k, claim in enumerate(claims))
    answer = ", ".join(f"{name} {_role(one)}" for name, one in zip(names, worlds[0], strict=True))
    return f"{asked}{told} Who is a knight and who is a knave? Explain, and name all of them.", answer


Claim = tuple[str, int, int, bool]


def _claim(speaker: int, people: int, level: int, chance: random.Random) -> Claim:
    others = [one for one in range(people) if one != speaker]
    kind = chance.choice(("is", "same") if level < 4 else ("is", "same", "or", "and"))
    first = chance.choice(others)
    second = speaker if kind == "same" or people == 2 else chance.choice([one for one in others if one != first])
    return kind, first, second, chance.random() < 0.5


def _holds(claim: Claim, world: tuple[bool, ...]) -> bool:
    kind, first, second, knight = claim
    if kind == "is":
        return world[first] == knight
    if kind == "same":
        return (world[first] == world[second]) == knight
    a, b = world[first] == knight, world[second] == knight
    return a or b if kind == "or" else a and b


def _words(claim: Claim, names: Sequence[str]) -> str:
    kind, first, second, knight = claim
    if kind == "is":
        return f"{names[first]} is a {_role(knight)}."
    if kind == "same":
        return f"{names[first]} and I are {'the same' if knight else 'different'}."
    return f"{names[first]} is a {_role(knight)} {kind} {names[second]} is a {_role(knight)}."


def _role(knight: bool) -> str:
    return "knight" if knight else "knave"


def word_sorting(level: int, chance: random.Random) -> Made:
    """Two and three words already in order, then a swapped pair of neighbours, then more and more words in any order
    except the right one."""
    count = (2, 3, 3, 4, 5, 6, 8, 10)[level - 1]
    right = sorted(chance.sample(WORDS, count))
    words = list(right)
    if level == 3:
        place = chance.randrange(count - 1)
        words[place], words[place + 1] = words[place + 1], words[place]
    while level > 3 and words == right:
        chance.shuffle(words)
    asked = f"Sort these words alphabetically: {', '.join(words)}. "
    return f"{asked}Write the sorted list first, then explain in three sentences how you sorted it.", ", ".join(right)


FAMILIES: dict[str, tuple[Callable[[int, random.Random], Made], str]] = {
    "arithmetic-chains": (arithmetic_chain, "number"),
    "base-conversion": (base_conversion, "digits"),
    "letter-counting": (letter_counting, "number"),
    "propositional-logic": (propositional_logic, "yes-no"),
    "knights-and-knaves": (knights_and_knaves, "roles"),
    "word-sorting": (word_sorting, "order"),
}
"""Family → the function that makes a prompt of a level, and its verifier."""


def rows(family: str, levels: int = LEVELS, prompts: int = PROMPTS) -> list[dict[str, Any]]:
    """A ladder's lines. A prompt's seed encodes its family, level and number; if its text is already there, the next
    number is used."""
    make, verifier = FAMILIES[family]
    found: list[dict[str, Any]] = []
    for level in range(1, levels + 1):
        texts: set[str] = set()
        number = 0
        while len(texts) < prompts:
            number += 1
            seed = list(FAMILIES).index(family) * 1_000_000 + level * 10_000 + number
            text, answer = make(level, random.Random(seed))
            if text in texts and number < 40 * prompts:
                continue
            texts.add(text if text not in texts else f"{text} {number}")
            row = {"id": f"{family}-{level}-{len(texts):02d}", "level": level, "text": text, "answer": answer}
            found.append(row | {"verifier": verifier, "seed": seed})
    return found


def main(folder: Path) -> None:
    """Writes the ladders that ship."""
    folder.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        lines = (json.dumps(row) for row in rows(family))
        (folder / f"{family}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
