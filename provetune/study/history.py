"""The history of a problem, as `provetune ledger` prints it: hypotheses, looks, verdicts, and how worn its test is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provetune.ledger.records import Ledger
from provetune.problem.claims import canonical, normalised, parse_claim
from provetune.problem.scanner import ClaimSyntaxError
from provetune.statistics.looks import spend
from provetune.study.wear import measure_wear

_USUAL_CONFIDENCE = 0.95
"""For a look that belongs to no study."""


def history_document(ledger: Ledger, name: str | None = None) -> dict[str, Any]:
    """Everything the ledger says of a problem, in time order, as JSON.

    Args:
        name: of the problem; None for every problem in the ledger.

    Returns:
        ``problem``, ``tests`` (for each set of test rows its ``test_hash`` and wear, see `provetune.study.wear.Wear`)
        and ``history`` (see `Ledger.problem_history`; hypotheses say which claims were ``added_after_look``, a look has
        its ``alpha`` and the ``alpha_spent`` on its rows so far).
    """
    history = ledger.problem_history(name)
    return {"problem": name, "tests": _tests(ledger, history), "history": _with_costs(ledger, history)}


def known_claims(ledger: Ledger, test_hash: str, primary_metric: str) -> set[str]:
    """Hypotheses registered before the first charged look at these rows, each in the one spelling of `claim_key`."""
    return {claim_key(text, primary_metric) for text in ledger.claims_before(test_hash)}


def claim_key(text: str, primary_metric: str) -> str:
    """The one spelling of all claims that test the same hypothesis."""
    try:
        return canonical(normalised(parse_claim(text), primary_metric))
    except ClaimSyntaxError:  # written under an older grammar: known by its text
        return text


def _tests(ledger: Ledger, history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The wear of each set of test rows, in the order in which they were first used."""
    studies = {item["test_hash"]: item for item in history if item["what"] == "hypotheses"}
    found = []
    for test_hash, study in studies.items():
        looks = ledger.looks(test_hash)
        wear = measure_wear(looks, study["splits"]["test"]["rows"], 1 - study["confidence"])
        free = len(looks) - wear.looks
        found.append({"test_hash": test_hash, "problem": study["problem"], "free": free, **wear.to_json()})
    return found


def _with_costs(ledger: Ledger, history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The history with what each look cost, and with the claims that came after one."""
    spent: dict[str, float] = {}
    told = []
    for item in history:
        line = dict(item)
        if item["what"] == "hypotheses":
            metric = item["metric"]
            known = known_claims(ledger, item["test_hash"], metric)
            line["added_after_look"] = [text for text in item["claims"] if claim_key(text, metric) not in known]
        else:
            confidence = line.pop("confidence") or _USUAL_CONFIDENCE
        if item["what"] == "look":
            alpha = spend(1 - confidence, item["number"]) if item["charged"] else 0.0
            spent[item["test_hash"]] = spent.get(item["test_hash"], 0.0) + alpha
            line |= {"alpha": alpha, "alpha_spent": spent[item["test_hash"]]}
        told.append(line)
    return told
