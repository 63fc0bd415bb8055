"""Solvers of the shipped ladders and tasks whose answers are known: one that is always right, one that is always wrong
in plausible ways. Each says its result in the wordings that models use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

WORDINGS: dict[str, str] = {
    "is": "So, the answer is {}.",
    "colon": "The answer is: {}",
    "bold": "The answer is **{}**.",
    "answer": "**Answer:** {}",
    "final": "**Final Answer**: {}",
    "box": "\\boxed{{{}}}",
    "mathematics": "The answer is $\\boxed{{{}}}$.",
    "display": "The final answer is\n\\[\n\\boxed{{{}}}\n\\]",
    "hashes": "#### {}",
    "next line": "The answer is:\n\n**{}**",
    "tag": "<answer>{}</answer>",
}
"""How a result is marked as the answer."""

CONTINUED = (
    "\n\nQuestion: Tom has 2 cats, Ann and Bob sort apple, zoo: which base?\n"
    "Answer: no, 5. The answer is D. \\boxed{77}"
)
"""What a base model goes on with."""

Worked = tuple[str, list[str]]
"""The steps to a result, and ways in which the family's responses end without a mark."""


def chain(text: str, result: str) -> Worked:
    """Step by step: the result is that of the last step."""
    found = re.search(r"calculate (.*) and give", text)
    assert found
    terms = re.findall(r"[-+]?\s*\d+", found[1])
    values = [int(one.replace(" ", "")) for one in terms]
    total, lines = values[0], [f"To calculate {' '.join(terms)}, follow these steps:"]
    for number, value in enumerate(values[1:], 1):
        after = total + value if number < len(values) - 1 else int(result)
        lines.append(f"{number}. {total} {'+' if value >= 0 else '-'} {abs(value)} = {after}")
        total = after
    return "\n".join(lines), [
        "",
        f"Therefore, the result is {result}.",
        f"The sum is **{result}**.",
        f"So we get {result}.",
    ]


def conversion(text: str, result: str) -> Worked:
    """The answer first, then how."""
    found = re.search(r"base-(\d+) number (\w+) to base (\d+)", text)
    assert found
    source, number, target = found.groups()
    how = f"I divided by {target} again and again: 45 / 2 = 22 remainder 1, and read the remainders backwards."
    return "", [
        f"{result}. {how}",
        f"{result}\n\n{how}",
        f"**{result}**\n{how}",
        f"{result} in base {target}. {how}",
        f"The base-{source} number {number} in base {target} is {result}. {how}",
        f"The base-{source} number {number} is written as **{result}** in base {target}. {how}",
        f"{number} in base {source} is {result} in base {target}. {how}",
        f"({number})_{source} = ({result})_{target}. {how}",
        f"{how} So the number is {result} in base {target}.",
        f"{result.upper()}\n{how}",
    ]


def counting(text: str, result: str) -> Worked:
    """The answer first, then where the letter is, word by word."""
    found = re.search(r'letter "(\w)" appear in "([^"]*)"', text)
    assert found
    letter, words = found[1], found[2].split()
    how = "I went through the words one by one: " + ", ".join(f"{word} ({word.count(letter)})" for word in words) + "."
    each = " ".join(f'In "{word}" it appears {word.count(letter)} times.' for word in words)
    spelled = (
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    )
    often = {"1": "once", "2": "twice"}.get(
        result, f"{spelled[int(result)]} times" if int(result) < 13 else f"{result} times"
    )
    return "", [
        f"{result}\n\n{how}",
        f"{result}. {how}",
        f"{result} times. {how}",
        f'The letter "{letter}" appears {result} times. {how}',
        f'The letter "{letter}" appears {often} in "{found[2]}". {how}',
        f'The letter "{letter}" appears **{result}** times in "{found[2]}". {each}',
        f"There are {result} {letter}'s. {how}",
        f"{each} So it appears {result} times in total.",
    ]


def implied(text: str, result: str) -> Worked:
    """Yes or no first, then the chain."""
    del text
    how = "The premises form a chain, and no premise contradicts it; following it settles the question."
    return "", [
        f"{result.capitalize()}, because it follows. {how}",
        f"{result.capitalize()}. {how}",
        f"**{result.capitalize()}**\n\n{how}",
        f"{result}\n{how}",
        f"{how} Therefore, {result}.",
    ]


def people(text: str, result: str) -> Worked:
    """Suppositions first, then who is what."""
    pairs = [one.split() for one in result.split(", ")]
    claims = re.findall(r'(\w+) says: "', text)
    name, role = pairs[0]
    other = "knave" if role == "knight" else "knight"
    how = f"Suppose {name} is a {other}. Then what {claims[0]} says leads to a contradiction."
    said = [f"{name} is a {role}" for name, role in pairs]
    by_role = {one: [name for name, role in pairs if role == one] for one in ("knight", "knave")}
    return how, [
        "Therefore, " + ", ".join(said) + ".",
        "So:\n" + "\n".join(f"- **{name}** is a **{role}**." for name, role in pairs),
        "\n".join(f"{name}: {role.capitalize()}" for name, role in pairs),
        "\n".join(f"| {name} | {role} |" for name, role in pairs),
        "\n".join(f"{one.capitalize()}s: {', '.join(names)}" for one, names in by_role.items() if names),
        " ".join(f"{name} must be a {role}." for name, role in pairs),
        " ".join(f"{name} is not a {'knave' if role == 'knight' else 'knight'}." for name, role in pairs),
    ]


def sorting(text: str, result: str) -> Worked:
    """The list first, then how."""
    found = re.search(r"alphabetically: ([^.]*)\.", text)
    assert found
    words = result.split(", ")
    how = f"I compared the first letters. The original list was {found[1]}. Then I put {words[0]} first."
    return "", [
        f"{result}. {how}",
        f"{result}\n\n{how}",
        f"Sorted list: {result}\n{how}",
        f"The sorted list is: {result}. {how}",
        "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)) + f"\n\n{how}",
        "\n".join(f"- {word.capitalize()}" for word in words) + f"\n\n{how}",
        f"The words {found[1]} sorted alphabetically are {', '.join(words[:-1])} and {words[-1]}. {how}",
        f"Given: {found[1]}\nSorted: {result}",
    ]


SOLVERS: dict[str, Callable[[str, str], Worked]] = {
    "arithmetic-chains": chain,
    "base-conversion": conversion,
    "letter-counting": counting,
    "propositional-logic": implied,
    "knights-and-knaves": people,
    "word-sorting": sorting,
}


def responses(family: str, text: str, result: str) -> Iterator[tuple[str, str]]:
    """(wording, response) of one who holds `result` for the answer."""
    steps, endings = SOLVERS[family](text, result)
    for number, ending in enumerate(endings):
        yield f"own {number}", f"{steps}\n{ending}".strip()
    for name, wording in WORDINGS.items():
        yield name, f"{steps}\n{wording.format(result)}".strip()


def wrong(family: str, text: str, answer: str) -> list[str]:
    """Results that are wrong in plausible ways."""
    if family in ("arithmetic-chains", "letter-counting"):
        value = int(answer)
        found = [value + 1, value + 10, value * 2 or 3, 10 * value or 7]
        return [str(one) for one in found if one != value]
    if family == "base-conversion":
        return [
            one
            for one in (
                answer + "0",
                "1" + answer,
                answer[::-1] + "1",
                answer[:-1] + ("0" if answer[-1] != "0" else "1"),
            )
            if one != answer and one != answer.lstrip("0") and one.lstrip("0") != answer
        ]
    if family == "propositional-logic":
        return ["no" if answer == "yes" else "yes"]
    if family == "knights-and-knaves":
        pairs = [one.split() for one in answer.split(", ")]
        swapped = {"knight": "knave", "knave": "knight"}
        return [
            ", ".join(f"{name} {swapped[role]}" for name, role in pairs),
            ", ".join(f"{name} {swapped[role] if number == 0 else role}" for number, (name, role) in enumerate(pairs)),
        ]
    words = answer.split(", ")
    return [", ".join(reversed(words)), ", ".join([words[1], words[0], *words[2:]])]
