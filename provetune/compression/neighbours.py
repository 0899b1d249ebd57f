"""Whether an answer depends on what else is asked at the same time.

A server answers texts of strangers in one batch. A model whose numbers take their scale from the whole batch (dynamic
quantisation does) would answer a customer otherwise because of somebody else's text. So texts are asked alone and
again among neighbours chosen to disturb: a very long one, which also pads the batch, a very short one, and one of
tokens that nobody writes. In fp32 the answers may differ by rounding (1e-5), and no decision may differ in any format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import ReadsInputs, ReadsItems, WritesTexts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from provetune.inference.predictor import Predictor

TEXTS = 200
WRITTEN_TEXTS = 10
"""Texts that are tried where answers are written token by token."""
FP32_TOLERANCE = 1e-5
EXTREME = "\u2603\u2603 \U0001f9ff ]]>{{%%}} qzxjvkqzxjvk 00000000000000000000 \u4e00\u4e8c\u9f98\u9f98 ¿¿¿¿ \u200b~~~~"


@dataclass(frozen=True)
class Neighbours:
    """What came of it.

    Attributes:
        texts: how many were tried.
        largest: largest difference of a number in an answer, relative to 1 or to the number where that is larger.
        flips: texts whose decision was another among neighbours.
        exact: whether the bundle computes in fp32, so that rounding alone may differ.
    """

    texts: int
    largest: float
    flips: int
    exact: bool

    @property
    def holds(self) -> bool:
        """Whether an answer is the same, whoever else is asking."""
        return self.flips == 0 and (not self.exact or self.largest <= FP32_TOLERANCE)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def try_neighbours(
    predictor: Predictor,
    examples: pa.Table,
    *,
    exact: bool,
    limit: int = TEXTS,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Neighbours:
    """Ask up to `limit` of these rows alone and among neighbours.

    Args:
        examples: tuning rows, never those that judge.
        exact: the bundle computes in fp32.
        tell: takes how many are done, and of how many.
    """
    import pyarrow as pa

    if isinstance(predictor.task, WritesTexts):
        limit = min(limit, WRITTEN_TEXTS)
    count = min(limit, examples.num_rows)
    beside = disturbing(examples, whole=isinstance(predictor.task, ReadsInputs | ReadsItems))
    largest, flips = 0.0, 0
    for number in range(count):
        row = examples.slice(number * examples.num_rows // count, 1)
        alone, told = _answer(predictor, row)
        # First and last place alike: what comes before must matter as little as what comes after.
        group = [row, beside] if number % 2 == 0 else [beside, row]
        place = 0 if number % 2 == 0 else beside.num_rows
        among, told_among = _answer(predictor, pa.concat_tables(group))
        largest = max(largest, distance(alone[0], among[place]))
        flips += decision(told[0]) != decision(told_among[place])
        tell(number + 1, count)
    return Neighbours(count, float(largest), flips, exact)


def disturbing(examples: pa.Table, *, whole: bool = False) -> pa.Table:
    """Rows to stand beside others: the longest, the shortest, and (unless rows are to be left `whole`) the longest
    repeated until it fills any model, a single letter, and tokens that nobody writes."""
    import pyarrow as pa

    texts = examples.column("text").to_pylist()
    order = sorted(range(len(texts)), key=lambda number: len(texts[number] or ""))
    found = [examples.slice(order[-1], 1), examples.slice(order[0], 1)]
    if not whole:
        place = examples.column_names.index("text")
        long = " ".join([texts[order[-1]] or "a"] * (1 + 4096 // max(1, len(texts[order[-1]] or "a"))))
        found += [
            found[0].set_column(
                place, examples.schema.field(place), pa.array([text], examples.schema.field(place).type)
            )
            for text in (long, "a", EXTREME)
        ]
    return pa.concat_tables(found)


def decision(told: Any) -> Any:
    """What is decided in an answer: all of it but the numbers that say how sure it is."""
    if isinstance(told, Mapping):
        kept = {key: decision(value) for key, value in told.items() if key != "labels"}
        return {key: value for key, value in kept.items() if value is not None}
    if isinstance(told, list | tuple):
        return [decision(each) for each in told if not isinstance(each, float)]
    return None if isinstance(told, float) else told


def distance(one: Any, other: Any) -> float:
    """Largest difference of a number in two answers, relative to 1 or to the number itself where that is larger.

    What is no number is left to `decision`.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return 0.0
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(abs(one - other) / max(1.0, abs(one)))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return max((distance(one[key], other[key]) for key in one.keys() & other.keys()), default=0.0)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return max((distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    return 0.0


def _answer(predictor: Predictor, examples: pa.Table) -> tuple[list[Any], list[Any]]:
    from provetune.models.bundle.golden import golden_form

    answers = predictor.answers(examples)
    told = predictor.task.predictions(answers, predictor.targets)
    return golden_form(answers, lambda: told), told
