"""Golden examples: a few inputs with the answers the model gave when the bundle was made.

Whatever is done to a bundle later (another machine, another backend, a conversion) must still give these answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import CorruptError, Refused
from provetune.core.files import read_json, write_json

if TYPE_CHECKING:
    from provetune.core.protocols import Array

GOLDEN = "golden.json"
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Golden:
    """Inputs and what the model said about them.

    Attributes:
        inputs: texts, or mappings of column names to texts; M of them.
        probabilities: expected probabilities (M, C).
    """

    inputs: tuple[Any, ...]
    probabilities: tuple[tuple[float, ...], ...]

    @classmethod
    def from_arrays(cls, inputs: Sequence[Any], probabilities: Array) -> Golden:
        """Golden examples from inputs and an array (M, C)."""
        if len(inputs) != len(probabilities):
            raise ValueError(
                f"There must be one row of probabilities an input. Got {len(probabilities)} for {len(inputs)}."
            )
        return cls(tuple(inputs), tuple(tuple(float(value) for value in row) for row in probabilities))

    def differences(self, probabilities: Array, *, where: str) -> Array:
        """How far answers (M, C) are from the expected ones: the largest difference of each example, (M,).

        An answer that is not a number is infinitely far.

        Raises:
            CorruptError: there are no golden examples, or there are not M × C answers.
        """
        expected = np.asarray(self.probabilities, dtype=np.float64)
        found = np.asarray(probabilities, dtype=np.float64)
        if not expected.size:
            raise CorruptError("The bundle has no golden examples to compare with.", where=where)
        if found.shape != expected.shape:
            raise CorruptError(
                f"There must be {expected.shape} golden answers. Got {found.shape} instead.", where=where
            )
        apart = np.abs(found - expected).max(axis=1)
        return np.where(np.isnan(apart), np.inf, apart)

    def check(self, probabilities: Array, *, where: str, tolerance: float = TOLERANCE) -> float:
        """Compare answers (M, C) with the expected ones; returns the largest difference.

        Raises:
            Refused: an answer differs by more than `tolerance`.
            CorruptError: there are no golden examples, or there are not M × C answers.
        """
        differences = self.differences(probabilities, where=where)
        worst = int(np.argmax(differences))
        if differences[worst] > tolerance:
            raise Refused(
                f"Golden example {worst + 1} of {len(differences)} is answered differently: "
                f"probabilities are off by {differences[worst]:.2g}, {tolerance:g} is allowed.",
                where=where,
            )
        return float(differences[worst])


def write_golden(folder: Path, golden: Golden) -> None:
    """Write ``golden.json``."""
    examples = [
        {"input": each, "probabilities": list(row)}
        for each, row in zip(golden.inputs, golden.probabilities, strict=True)
    ]
    write_json(Path(folder) / GOLDEN, {"examples": examples})


def read_golden(folder: Path) -> Golden:
    """What `write_golden` wrote.

    Raises:
        CorruptError: the file is missing or cannot be read.
    """
    place = Path(folder) / GOLDEN
    try:
        examples = read_json(place)["examples"]
        return Golden(
            tuple(each["input"] for each in examples),
            tuple(tuple(float(value) for value in each["probabilities"]) for each in examples),
        )
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"The golden examples cannot be read ({error!r}).", where=str(place)) from error
