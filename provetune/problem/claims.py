"""Claims: statements about candidates that a study tests.

    claim  = name, (order | level | equal), ["[", scope, "]"] ;
    order  = cmp, name, [("+"|"-"), number] ;
    level  = cmp, [sign], number ;
    equal  = "~", (name | [sign], number), ("±"|"+-"), number ;
    cmp    = ">" | ">=" | "<" | "<=" ;        sign = "+" | "-" ;

Comparators are arithmetic on the metric's own value, never "better": not worse in calibration is
``lora <= full + 0.01 [ece]``. Without a scope the task's primary metric is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from provetune.core.suggest import advice, nearest
from provetune.problem.faults import Fault, Keys, show
from provetune.problem.scanner import NAME_TOKEN, ClaimSyntaxError, Scanner, write_number
from provetune.problem.scopes import (
    Level,
    Scope,
    parse_accept_key,
    parse_level,
    scan_comparator,
    scan_scope,
    scan_signed,
)

__all__ = [
    "Claim",
    "ClaimSyntaxError",
    "Level",
    "Scope",
    "canonical",
    "check_claims",
    "mirrored",
    "normalised",
    "parse_accept_key",
    "parse_claim",
    "parse_level",
    "warn_of_claims",
]

_MIRROR: dict[str, Literal[">", ">=", "<", "<="]] = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(frozen=True)
class Claim:
    """One statement, read.

    With D = left − right (or the left candidate's own value), an order says D ``comparator`` margin, a level says
    left ``comparator`` level, and an equality says that left − (right or level) lies within ± margin.

    Attributes:
        text: as written; two claims are equal when all else is.
        left: candidate on the left.
        kind: ``"order"``, ``"level"`` or ``"equal"``.
        comparator: ``>``, ``>=``, ``<``, ``<=``, or ``~`` for an equality.
        right: candidate on the right, or None where a level stands.
        margin: signed in an order, above 0 in an equality, 0 in a level.
        level: the number on the right, or None where a candidate stands.
        scope: metric, label and rows; None for the primary metric over all.
    """

    text: str = field(compare=False)
    left: str
    kind: Literal["order", "level", "equal"]
    comparator: Literal[">", ">=", "<", "<=", "~"]
    right: str | None = None
    margin: float = 0.0
    level: float | None = None
    scope: Scope | None = None

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the candidates it speaks of."""
        return (self.left,) if self.right is None else (self.left, self.right)


def parse_claim(text: str) -> Claim:
    """One claim, e.g. ``full > words + 0.02 [recall:refund @ channel=mail]``.

    Raises:
        ClaimSyntaxError: it does not follow the grammar; says at which character.
    """
    scanner = Scanner(text, "claim")
    left = scanner.name("the name of a candidate")
    claim = _scan_equality(scanner, text, left) if scanner.take_text("~") else _scan_comparison(scanner, text, left)
    if scanner.take_text("["):
        claim = replace(claim, scope=scan_scope(scanner))
        if not scanner.take_text("]"):
            raise scanner.error(f"must be ']'. Got {scanner.here()} instead.")
    if not scanner.ended:
        chain = scanner.text[scanner.at] in "<>~="
        hint = "Write two claims instead of a chain." if chain else None
        raise scanner.error(f"the claim must end here or go on with [metric]. Got {scanner.here()} instead.", hint)
    return claim


def _scan_comparison(scanner: Scanner, text: str, left: str) -> Claim:
    comparator = scan_comparator(scanner, "a comparator (> >= < <=) or ~")
    if not NAME_TOKEN.match(scanner.text, scanner.at):
        if scanner.ended or scanner.text[scanner.at] not in "+-.0123456789":
            raise scanner.error(f"must be the name of a candidate or a number. Got {scanner.here()} instead.")
        return Claim(text, left, "level", comparator, level=scan_signed(scanner))
    right = _scan_right(scanner, left)
    margin = scan_signed(scanner) if scanner.text.startswith(("+", "-"), scanner.at) else 0.0
    return Claim(text, left, "order", comparator, right=right, margin=margin)


def _scan_equality(scanner: Scanner, text: str, left: str) -> Claim:
    right = level = None
    if NAME_TOKEN.match(scanner.text, scanner.at):
        right = _scan_right(scanner, left)
    else:
        level = scan_signed(scanner)
    if not scanner.take_text("±", "+-"):
        raise scanner.error(f"must be '±' or '+-'. Got {scanner.here()} instead.", "Equality is 'a ~ b ± 0.01'.")
    start = scanner.at
    margin = scanner.number()
    if margin == 0:
        scanner.at = start
        raise scanner.error("the margin of an equality must be above 0.", "No test shows that two are exactly equal.")
    return Claim(text, left, "equal", "~", right=right, margin=margin, level=level)


def _scan_right(scanner: Scanner, left: str) -> str:
    start = scanner.at
    right = scanner.name("the name of a candidate")
    if right == left:
        scanner.at = start
        raise scanner.error(f"'{left}' is compared with itself.", "Name two candidates.")
    return right


def canonical(claim: Claim) -> str:
    """The claim in one fixed spelling; `parse_claim` reads the same claim back."""
    if claim.kind == "order":
        sign = "-" if claim.margin < 0 else "+"
        shift = f" {sign} {write_number(claim.margin)}" if claim.margin else ""
        body = f"{claim.right}{shift}"
    else:
        level = claim.level
        body = f"{claim.right}" if level is None else f"{'-' if level < 0 else ''}{write_number(level)}"
        if claim.kind == "equal":
            body = f"{body} ± {write_number(claim.margin)}"
    scope = f" [{claim.scope}]" if claim.scope else ""
    return f"{claim.left} {claim.comparator} {body}{scope}"


def mirrored(claim: Claim) -> Claim:
    """The same statement from the other side: ``a < b + m`` is ``b > a - m``. A level stays as it is."""
    if claim.right is None:
        return claim
    if claim.kind == "equal":
        turned = replace(claim, left=claim.right, right=claim.left)
    else:
        margin = -claim.margin if claim.margin else 0.0
        turned = replace(claim, left=claim.right, right=claim.left, comparator=_MIRROR[claim.comparator], margin=margin)
    return replace(turned, text=canonical(turned))


def normalised(claim: Claim, primary_metric: str | None = None) -> Claim:
    """The one claim that stands for all that test the same hypothesis.

    ``>`` and ``>=`` test the same, a mirrored claim does, and so does one that names the primary metric which
    another leaves out (known only where `primary_metric` is given).
    """
    if claim.scope is not None:
        scope: Scope | None = replace(claim.scope, conditions=tuple(sorted(claim.scope.conditions)))
        claim = replace(claim, scope=None if scope == Scope(primary_metric or "") else scope)
    if claim.kind == "equal":
        return mirrored(claim) if claim.right is not None and claim.right < claim.left else claim
    if claim.kind == "order" and claim.comparator in ("<", "<="):
        claim = mirrored(claim)
    return replace(claim, comparator=">" if claim.comparator in (">", ">=") else "<")


def check_claims(
    texts: Sequence[Any],
    candidate_names: Collection[str],
    primary_metric: str | None = None,
    replaced_by: str | None = None,
) -> list[Fault]:
    """What is wrong with a study's claims: grammar, names that are no candidate, the same hypothesis twice.

    Args:
        texts: the items of ``claims`` as they are in the file.
        candidate_names: the candidates, the baseline that is always there included.
        primary_metric: what a claim without a scope is about, where that is known already.
        replaced_by: how the file's candidates were replaced, e.g. ``--set candidates``, where its claims were not.
    """
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(texts):
        keys = ("claims", number)
        if not isinstance(text, str):
            message = f"A claim must be text. Got {show(text)} instead."
            faults.append(Fault(keys, message, "Put quotes around this claim."))
            continue
        try:
            claim = parse_claim(text)
        except ClaimSyntaxError as error:
            faults.append(Fault(keys, error.message, error.hint))
            continue
        if missing := [name for name in claim.candidates if name not in candidate_names]:
            faults.append(_missing_candidates(keys, text, missing, candidate_names, replaced_by))
        key = canonical(normalised(claim, primary_metric))
        if key in seen:
            message = f"The claim '{text}' tests the same as '{texts[seen[key]]}' (claim {seen[key] + 1})."
            faults.append(Fault(keys, message, "Keep one of the two."))
        seen.setdefault(key, number)
    return faults


def _missing_candidates(
    keys: Keys, text: str, missing: Sequence[str], known: Collection[str], replaced_by: str | None
) -> Fault:
    named = " and ".join(f"'{name}'" for name in missing)
    message = (
        f"The claim '{text}' names {named}, which {'is no candidate' if len(missing) == 1 else 'are no candidates'}."
    )
    if replaced_by is not None:
        left = ", ".join(sorted(known))
        return Fault(
            keys,
            message,
            f'{replaced_by} leaves only {left}. Drop the file\'s claims with --set "claims=[]", or set others.',
        )
    guesses = [f"'{guess}'" for name in missing if (guess := nearest(name, known))]
    if len(missing) == 1 or not guesses:
        return Fault(keys, message, advice(missing[0], known))
    return Fault(keys, message, f"Did you mean {' and '.join(guesses)}? Known: {', '.join(sorted(known))}.")


def warn_of_claims(claims: Sequence[Claim], lower_is_better: Collection[str] = ()) -> list[Fault]:
    """Claims that say their left side is worse, with the mirror that says it straight.

    Args:
        claims: the claims of the file, in its order.
        lower_is_better: metrics of which less is better, e.g. ``log_loss``; all others rise.
    """
    warnings: list[Fault] = []
    for number, claim in enumerate(claims):
        falls = claim.scope is not None and claim.scope.metric in lower_is_better
        worse = (">", ">=") if falls else ("<", "<=")
        if claim.comparator not in worse:
            continue
        message = f"The claim '{claim.text}' says that its left side is worse."
        if claim.kind == "order":
            hint = f"If that is meant, '{canonical(mirrored(claim))}' says the same straight."
        else:
            hint = f"Is '{canonical(replace(claim, comparator=_MIRROR[claim.comparator]))}' meant?"
        warnings.append(Fault(("claims", number), message, hint))
    return warnings
