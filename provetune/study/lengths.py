"""How long the training texts are in a backbone's tokens, and what follows for a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import CountsTokens, CutsTargets, LongTexts, PreparesTokenizer
from provetune.models.encoding import BATCH_ROWS, fast_tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, Targets, Task
    from provetune.models.backbones import Backbone

SAMPLE_ROWS = 20_000
COUNTED_ROWS = 2_000
"""Rows that a task counts itself, which takes longer than counting texts."""
PERCENTILE = 99
STEP = 8
LONG_SHARE = 0.01
_LETTERS_A_TOKEN = 32


@dataclass(frozen=True)
class Lengths:
    """Tokens of each sampled training row, special tokens included, (N,), ascending order of rows.

    Attributes:
        tokens: the counts.
        max_positions: most tokens the backbone takes.
        percentile: of the rows, that are to fit whole.
    """

    tokens: Array
    max_positions: int
    percentile: float = PERCENTILE

    def choose_max_length(self) -> int:
        """The percentile's length, rounded up to a multiple of 8, within what the backbone takes."""
        if len(self.tokens) == 0:
            return min(STEP, self.max_positions)
        length = float(np.percentile(self.tokens, self.percentile, method="higher"))
        return min(int(-(-length // STEP)) * STEP, self.max_positions)

    def share_longer(self, max_length: int) -> float:
        """Share of the rows that have more tokens than `max_length`."""
        return float((self.tokens > max_length).mean()) if len(self.tokens) else 0.0

    def choose_long_texts(self, max_length: int) -> LongTexts:
        """Head and tail where over one row in a hundred is cut, else the head: Sun et al. 2019, arXiv:1905.05583."""
        return "head_tail" if self.share_longer(max_length) > LONG_SHARE else "head"


def measure_lengths(examples: pa.Table, tokenizer: Any, max_positions: int, task: Task | None = None) -> Lengths:
    """Token counts of the examples' texts (with their pairs), of at most 20,000 rows spread evenly.

    Args:
        task: counts its rows itself, where it can.
    """
    if isinstance(task, CountsTokens):
        places = np.unique(np.linspace(0, len(examples) - 1, min(len(examples), COUNTED_ROWS)).astype(np.int64))
        counts = task.count_tokens(examples.take(places), tokenizer, max_positions)
        # A source that is cut has a target that says more than the model was shown.
        return Lengths(counts, max_positions, 100 if isinstance(task, CutsTargets) else PERCENTILE)
    rows = sample_rows(examples, SAMPLE_ROWS)
    pairs = rows.column("text_pair").to_pylist() if "text_pair" in rows.column_names else None
    return Lengths(count_tokens(tokenizer, rows.column("text").to_pylist(), pairs, max_positions), max_positions)


def counting_tokenizer(backbone: Backbone, task: Task, targets: Targets) -> Any:
    """A backbone's tokenizer for counting: the quick one, or the whole one for tasks that count rows themselves."""
    from provetune.study.quick_tokenizer import quick_tokenizer

    if not isinstance(task, CountsTokens):
        return quick_tokenizer(backbone.path, backbone.source)
    from provetune.models.loading import load_tokenizer

    tokenizer = load_tokenizer(backbone.path)
    return task.prepare_tokenizer(tokenizer, targets) if isinstance(task, PreparesTokenizer) else tokenizer


def count_tokens(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, max_positions: int) -> Array:
    """Tokens of each text (with its second text), special tokens included, int64 (N,).

    A very long text is counted from its beginning alone, which is enough to know that it is too long.
    """
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    letters = max(1_000, _LETTERS_A_TOKEN * max_positions)
    counts: list[int] = []
    for start in range(0, len(texts), BATCH_ROWS):
        inputs: list[Any] = [text[:letters] for text in texts[start : start + BATCH_ROWS]]
        if pairs is not None:
            seconds = [text[:letters] for text in pairs[start : start + BATCH_ROWS]]
            inputs = list(zip(inputs, seconds, strict=True))
        counts += _lengths(tokenizer, fast, inputs)
    return np.asarray(counts, dtype=np.int64)


def _lengths(tokenizer: Any, fast: Any, inputs: list[Any]) -> list[int]:
    if hasattr(fast, "encode_batch_fast"):
        fast_tokenizer(tokenizer)  # forgets how long texts may be
        return [len(encoding.ids) for encoding in fast.encode_batch_fast(inputs)]
    # Marian's tokenizer has no fast form.
    return [len(ids) for ids in tokenizer(inputs, verbose=False)["input_ids"]]


def sample_rows(examples: pa.Table, most: int) -> pa.Table:
    """Texts of at most `most` rows that have them, spread evenly over the table; the same ones each time."""
    import pyarrow.compute as pc

    # The texts alone are copied: the other columns of many rows are large, and nobody looks at them here.
    columns = [name for name in ("text", "text_pair") if name in examples.column_names]
    rows = examples.select(columns)
    if any(rows.column(name).null_count for name in columns):
        rows = rows.filter(reduce(pc.and_, (rows.column(name).is_valid() for name in columns)))
    if rows.num_rows <= most:
        return rows
    return rows.take(np.linspace(0, rows.num_rows - 1, most).astype(np.int64))
