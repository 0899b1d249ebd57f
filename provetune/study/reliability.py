"""How true the probabilities of a candidate's runs are, before and after their temperature.

Outcomes hold probabilities after the temperature T was applied. For one label a row the ones before it are
proportional to p**T, for several labels a row their log-odds are T times as large; where a text was cut into windows,
whose probabilities are averaged, this is an approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.statistics.rows import JudgedRows

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_SMALLEST = 1e-12


def calibration_report(judged: Sequence[JudgedRows], temperatures: Sequence[float]) -> dict[str, Any] | None:
    """Calibration error of each run and the reliability bins of all runs' rows together.

    Returns:
        ``temperatures``, ``ece_before`` and ``ece_after`` (a number a run), ``before`` and ``after`` (bins);
        None where the runs have no probabilities.
    """
    from provetune.evaluation.calibration import reliability_bins

    pairs = [
        (rows, replace(rows, probabilities=undo_temperature(rows.probabilities, temperature, rows.labels.ndim == 2)))
        for rows, temperature in zip(judged, temperatures, strict=True)
        if rows.probabilities is not None and len(rows)
    ]
    if not pairs:
        return None
    after, before = [rows for rows, _ in pairs], [rows for _, rows in pairs]
    return {
        "temperatures": list(temperatures),
        "ece_before": [_error(rows) for rows in before],
        "ece_after": [_error(rows) for rows in after],
        "before": reliability_bins(_together(before)),
        "after": reliability_bins(_together(after)),
    }


def undo_temperature(probabilities: Array, temperature: float, several: bool) -> Array:
    """The probabilities (N, C) before they were divided by `temperature` in the logits.

    Args:
        several: whether a row may have several labels (each has a sigmoid of its own).
    """
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST, 1 - _SMALLEST)
    if several:
        odds = temperature * (np.log(clipped) - np.log1p(-clipped))
        return np.asarray(0.5 * (1 + np.tanh(0.5 * odds)))
    logs = temperature * np.log(clipped)
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _error(rows: JudgedRows) -> float:
    from provetune.evaluation.calibration import calibration_error

    return 0.0 if rows.probabilities is None else calibration_error(rows.labels, rows.probabilities)


def _together(judged: Sequence[JudgedRows]) -> JudgedRows:
    """The rows of several runs as one. Runs of a study know the same labels."""
    return replace(
        judged[0],
        labels=np.concatenate([rows.labels for rows in judged]),
        predictions=np.concatenate([rows.predictions for rows in judged]),
        probabilities=np.concatenate([rows.probabilities for rows in judged if rows.probabilities is not None]),
        groups=None,
    )
