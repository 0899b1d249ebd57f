"""What is searched: the ranges that a candidate names, or those that suit its method where it says ``search: auto``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.minimised import HasRanges
from provetune.core.suggest import advice
from provetune.problem.syntax import AUTO, Candidate, SearchRange

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from provetune.core.protocols import Method

Ranges = Mapping[str, "SearchRange | list[Any]"]

_FACTOR = 5
_BATCHES = [16, 32, 64]
_NOT_SEARCHED = ("method", "backbone", "objective", "data", "search")
"""What makes a candidate the hypothesis that it is."""


def ranges_of(candidate: Candidate, settled: Candidate, method: Method) -> dict[str, SearchRange | list[Any]]:
    """The range of every field that is searched.

    Args:
        candidate: as written.
        settled: with every `auto` replaced: what it would be without a search.

    Raises:
        UsageError: a field that is not there, or is none of a search's business.
    """
    written = candidate.search
    if written == AUTO:
        return _usual(candidate, settled, method)
    known = [name for name in (*Candidate.model_fields, *settled.extra) if name not in _NOT_SEARCHED]
    for name in written or {}:
        if name not in known:
            raise UsageError(f"There is no field '{name}' to search.", hint=advice(name, known, limit=30))
    return dict(written or {})


def _usual(candidate: Candidate, settled: Candidate, method: Method) -> dict[str, SearchRange | list[Any]]:
    """Learning rate and batch of what trains step by step, and what the method itself names; never a written field."""
    found: dict[str, SearchRange | list[Any]] = {}
    if method.learns_from == "weights" and isinstance(settled.learning_rate, float):
        rate = settled.learning_rate
        found["learning_rate"] = SearchRange(low=rate / _FACTOR, high=rate * _FACTOR, log=True)
        found["batch_rows"] = list(_BATCHES)
    if isinstance(method, HasRanges):
        for name, value in method.ranges.items():
            found[name] = SearchRange.model_validate(value) if isinstance(value, Mapping) else list(value)
    asked = {**candidate.model_dump(exclude_unset=True), **candidate.extra}
    found = {name: value for name, value in found.items() if asked.get(name, AUTO) == AUTO}
    if not found:
        raise UsageError(
            f"The method '{candidate.method}' has nothing that search: auto would look for.",
            hint="Name fields and ranges, e.g. search: {epochs: [2, 3, 5]}.",
        )
    return found


def distributions(ranges: Ranges) -> dict[str, BaseDistribution]:
    """The ranges as Optuna has them."""
    return {name: _distribution(value) for name, value in ranges.items()}


def _distribution(value: SearchRange | list[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(value, list):
        return CategoricalDistribution([storable(choice) for choice in value])
    if value.whole:
        return IntDistribution(int(value.low), int(value.high), log=value.log)
    return FloatDistribution(float(value.low), float(value.high), log=value.log)


def refuse_bad_ranges(ranges: Ranges, candidate: Candidate, method: Method) -> None:
    """Refuse a range whose ends the field itself would refuse.

    Raises:
        UsageError: one would be.
    """
    from pydantic import ValidationError

    for name, value in ranges.items():
        for each in value if isinstance(value, list) else _ends(value):
            try:
                if name in method.settings.model_fields:
                    method.settings.model_validate({name: each})
                Candidate.model_validate({**candidate.model_dump(exclude_unset=True), name: each})
            except ValidationError as error:
                detail = error.errors(include_url=False)[0]["msg"]
                said = detail.removeprefix("Value error, ").replace("Input should be", "it must be").rstrip(".")
                raise UsageError(f"The search of '{name}' holds {each!r}, which it cannot have: {said}.") from error


def _ends(value: SearchRange) -> list[float]:
    return [int(end) if value.whole else end for end in (value.low, value.high)]


def storable(value: Any) -> Any:
    """A value as Optuna keeps it: lists and sections as their JSON text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, list | tuple | dict) else value


def chosen(drawn: Mapping[str, Any], ranges: Ranges) -> dict[str, Any]:
    """What Optuna drew, as the ranges have it."""
    found = dict(drawn)
    for name, value in ranges.items():
        if isinstance(value, list):
            found[name] = next(choice for choice in value if storable(choice) == drawn[name])
    return found
