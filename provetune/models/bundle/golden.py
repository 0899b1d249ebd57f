"""Golden examples: a few inputs with the answers the model gave when the bundle was made.

Whatever is done to a bundle later (another machine, another backend, a conversion) must still give these answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
        inputs: texts, or lists of two; M of them.
        answers: what is expected, M of them as JSON: probabilities, or what a task tells a person.
    """

    inputs: tuple[Any, ...]
    answers: tuple[Any, ...]

    @classmethod
    def of(cls, inputs: Sequence[Any], answers: Sequence[Any]) -> Golden:
        """Golden examples from inputs and their answers as JSON (`golden_form`)."""
        if len(inputs) != len(answers):
            raise ValueError(f"There must be one answer an input. Got {len(answers)} for {len(inputs)}.")
        return cls(tuple(inputs), tuple(_plain(answers)))

    def differences(self, answers: Sequence[Any], *, where: str) -> Array:
        """How far M answers are from the expected ones: the largest difference of a number in each, (M,).

        An answer that is not a number, or whose words or shape are others, is infinitely far.

        Raises:
            CorruptError: there are no golden examples, or there are not M answers.
        """
        if not self.answers:
            raise CorruptError("The bundle has no golden examples to compare with.", where=where)
        if len(answers) != len(self.answers):
            raise CorruptError(
                f"There must be {len(self.answers)} golden answers. Got {len(answers)} instead.", where=where
            )
        pairs = zip(_plain(answers), self.answers, strict=True)
        return np.asarray([_distance(found, known) for found, known in pairs])

    def check(self, answers: Sequence[Any], *, where: str, tolerance: float = TOLERANCE) -> float:
        """Compare M answers with the expected ones; returns the largest difference.

        Raises:
            Refused: an answer differs by more than `tolerance`.
            CorruptError: there are no golden examples, or there are not M answers.
        """
        differences = self.differences(answers, where=where)
        worst = int(np.argmax(differences))
        if differences[worst] > tolerance:
            raise Refused(
                f"Golden example {worst + 1} of {len(differences)} is answered differently: "
                f"it is off by {differences[worst]:.2g}, {tolerance:g} is allowed.",
                where=where,
            )
        return float(differences[worst])


def golden_form(answers: Any, told: Callable[[], Sequence[Any]]) -> list[Any]:
    """Answers to M inputs as golden examples keep them: every probability, else what a person is told.

    Args:
        answers: in the task's own form.
        told: makes `Task.predictions` of them.
    """
    if isinstance(answers, np.ndarray):
        return [[float(value) for value in row] for row in answers.reshape(len(answers), -1)]
    found: list[Any] = json.loads(json.dumps(list(told()), allow_nan=True))
    return found


def write_golden(folder: Path, golden: Golden) -> None:
    """Write ``golden.json``."""
    examples = [{"input": each, "answer": answer} for each, answer in zip(golden.inputs, golden.answers, strict=True)]
    write_json(Path(folder) / GOLDEN, {"examples": examples})


def read_golden(folder: Path) -> Golden:
    """What `write_golden` wrote.

    Raises:
        CorruptError: the file is missing or cannot be read.
    """
    place = Path(folder) / GOLDEN
    try:
        examples = read_json(place)["examples"]
        inputs = tuple(each["input"] for each in examples)
        # Older bundles name what is answered by its kind.
        return Golden(inputs, tuple(each["answer"] if "answer" in each else each["probabilities"] for each in examples))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"The golden examples cannot be read ({error!r}).", where=str(place)) from error


def _plain(answers: Any) -> list[Any]:
    """Answers as lists and numbers of Python, arrays too."""
    return answers.tolist() if isinstance(answers, np.ndarray) else list(answers)


def _distance(found: Any, known: Any) -> float:
    """The largest difference of a number in two JSON values; infinite where anything else differs."""
    if isinstance(known, bool) or isinstance(found, bool) or known is None or isinstance(known, str):
        return 0.0 if found == known else np.inf
    if isinstance(known, int | float):
        apart = abs(found - known) if isinstance(found, int | float) else np.inf
        return np.inf if np.isnan(apart) else float(apart)
    if isinstance(known, Mapping):
        if not isinstance(found, Mapping) or found.keys() != known.keys():
            return np.inf
        return max((_distance(found[key], known[key]) for key in known), default=0.0)
    if not isinstance(found, Sequence) or len(found) != len(known):
        return np.inf
    return max((_distance(one, other) for one, other in zip(found, known, strict=True)), default=0.0)
