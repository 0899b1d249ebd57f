"""Whether a bundle answers here as it answered where it was made: its golden examples, asked again.

The manifest says that no byte has changed. That does not say that this machine, its libraries and the number format
that was chosen compute the same from these bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.inference.predictor import Predictor
    from provetune.models.bundle import Golden

_SINGLE = {"cpu": 1e-4}
_SINGLE_ELSEWHERE = 1e-3
_COARSE = {"bf16": 0.02, "int8": 0.02}


@dataclass(frozen=True)
class Agreement:
    """How golden examples were answered here.

    Attributes:
        examples: how many there are.
        largest: the largest difference of a probability (or of another number in an answer).
        example: number (from 1) of the example that has it.
        tolerance: the difference that is allowed, see `tolerance_of`.
        precision, engine: number format and what computed.
    """

    examples: int
    largest: float
    example: int
    tolerance: float
    precision: str
    engine: str

    @property
    def same(self) -> bool:
        """Whether no answer differs by more than is allowed."""
        return self.largest <= self.tolerance


def tolerance_of(precision: str, device: str = "cpu") -> float:
    """The difference of a probability that is rounding alone.

    Expected answers were computed in fp32, those of a quantised bundle by its own graph. Another processor adds the
    same numbers in another order, an accelerator has its own kernels, bf16 keeps 8 bits of each number, and in int8
    what was added in another order may be rounded to the next of 255 steps.
    """
    if precision in _COARSE:
        return _COARSE[precision]
    return _SINGLE.get(device, _SINGLE_ELSEWHERE)


def compare_golden(predictor: Predictor, golden: Golden, device: str = "cpu") -> Agreement:
    """Ask the golden examples again.

    Raises:
        CorruptError: there are none, or the model gives another number of answers.
    """
    tolerance = tolerance_of(predictor.precision, device)
    differences = golden.differences(_answers(predictor, golden), where=str(predictor.path))
    worst = int(np.argmax(differences))
    return Agreement(
        len(differences), float(differences[worst]), worst + 1, tolerance, predictor.precision, predictor.engine
    )


def require_golden(predictor: Predictor, golden: Golden, device: str = "cpu") -> None:
    """Ask the golden examples again, and refuse a bundle that answers them differently.

    Raises:
        Refused: an answer differs by more than `tolerance_of` allows.
        CorruptError: there are no golden examples, or the model gives another number of answers.
    """
    golden.check(
        _answers(predictor, golden),
        where=str(predictor.path),
        tolerance=tolerance_of(predictor.precision, device),
    )


def _answers(predictor: Predictor, golden: Golden) -> list[Any]:
    # As a table: the expected answers are those to the texts as they stand, neither joined nor masked again.
    return predictor.golden_answers(golden_table(golden)) if golden.inputs else []


def golden_table(golden: Golden) -> pa.Table:
    """The inputs of golden examples as a table of examples."""
    import pyarrow as pa

    texts = [each if isinstance(each, str) else each[0] for each in golden.inputs]
    columns = {"text": pa.array(texts, pa.string())}
    if any(not isinstance(each, str) for each in golden.inputs):
        columns["text_pair"] = pa.array(
            ["" if isinstance(each, str) else each[1] for each in golden.inputs], pa.string()
        )
    return pa.table(columns)
