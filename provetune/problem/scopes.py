"""What a claim or an acceptance level is about: a metric, perhaps one label, perhaps some of the rows.

scope = metric, [":", value], ["@", name, "=", value, {",", name, "=", value}] ;
level = (">" | ">=" | "<" | "<="), ["+" | "-"], number ;
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from provetune.problem.scanner import COMPARATOR_TOKEN, Scanner, write_number, write_value

Comparator: TypeAlias = Literal[">", ">=", "<", "<="]
_MISTAKEN = {"==": "", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "＞": ">", "＜": "<"}


@dataclass(frozen=True)
class Scope:
    """A metric over some of what was judged.

    Attributes:
        metric: its name; whether the task has it is checked by whoever knows the task.
        value: the label it is restricted to, e.g. ``refund`` in ``recall:refund``.
        conditions: raw column and value of the rows it is restricted to; all must hold.
    """

    metric: str
    value: str | None = None
    conditions: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        label = "" if self.value is None else f":{write_value(self.value)}"
        rows = ", ".join(f"{column}={write_value(value)}" for column, value in self.conditions)
        return f"{self.metric}{label}" + (f" @ {rows}" if rows else "")


@dataclass(frozen=True)
class Level:
    """A number that a metric must reach, e.g. ``>= 0.90``."""

    comparator: Comparator
    value: float

    def __str__(self) -> str:
        return f"{self.comparator} {'-' if self.value < 0 else ''}{write_number(self.value)}"


def parse_accept_key(key: str) -> Scope:
    """The scope that a key of ``accept`` names, e.g. ``recall:refund @ channel=mail``.

    Raises:
        ClaimSyntaxError: it does not follow the grammar.
    """
    scanner = Scanner(key, "accept key")
    scope = scan_scope(scanner)
    if not scanner.ended:
        raise scanner.error(f"must end here. Got {scanner.here()} instead.", "Write metric, metric:label or @ col=val.")
    return scope


def parse_level(text: str) -> Level:
    """The level that a value of ``accept`` asks for, e.g. ``>= 0.90``.

    Raises:
        ClaimSyntaxError: it does not follow the grammar.
    """
    scanner = Scanner(text, "level")
    comparator = scan_comparator(scanner, "one of > >= < <=")
    value = scan_signed(scanner)
    if not scanner.ended:
        raise scanner.error(f"must end here. Got {scanner.here()} instead.", "Write one comparison, such as '>= 0.9'.")
    return Level(comparator, value)


def scan_scope(scanner: Scanner) -> Scope:
    """The inside of a scope's brackets, consumed."""
    metric = scanner.name("the name of a metric")
    value = scanner.value("a label") if scanner.take_text(":") else None
    conditions: list[tuple[str, str]] = []
    if scanner.take_text("@"):
        while True:
            start = scanner.at
            column = scanner.name("the name of a column")
            if column in dict(conditions):
                scanner.at = start
                raise scanner.error(f"the column '{column}' is named twice.", "A row has one value in it.")
            if not scanner.take_text("="):
                raise scanner.error(f"must be '='. Got {scanner.here()} instead.")
            conditions.append((column, scanner.value("a value of the column")))
            if not scanner.take_text(","):
                break
    return Scope(metric, value, tuple(conditions))


def scan_comparator(scanner: Scanner, what: str) -> Comparator:
    """A comparator, consumed."""
    for sign, meant in _MISTAKEN.items():
        if scanner.text.startswith(sign, scanner.at):
            meaning = f"Write {meant}." if meant else "Equality is 'a ~ b ± 0.01'."
            raise scanner.error(f"must be {what}. Got '{sign}' instead.", meaning)
    found = scanner.take(COMPARATOR_TOKEN)
    if found is None:
        hint = "A name has letters, digits and '_', no hyphen." if scanner.text.startswith("-", scanner.at) else None
        raise scanner.error(f"must be {what}. Got {scanner.here()} instead.", hint)
    return cast(Comparator, found)


def scan_signed(scanner: Scanner) -> float:
    """A number with or without a sign, consumed."""
    sign = scanner.take_text("+", "-")
    number = scanner.number()
    return -number if sign == "-" and number else number
