"""Faults of texts: damaged, far too long, cut, or in a language that the backbone does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.protocols import Finding
from provetune.data.language import detect_language
from provetune.data.places import Rows, plural

Numbers = np.ndarray[Any, np.dtype[Any]]
HUGE_BYTES = 1_000_000
LONG_BYTES = 100_000
_COUNTED_TEXTS = 20_000
_MANY_CUT = 0.05
_LONG_TEXTS_ADVICE = "Raise max_length, or set long_texts to head_tail or windows."


def find_damaged_texts(rows: Rows) -> Iterable[Finding]:
    """NUL bytes (a damaged or binary file), other control characters, and U+FFFD (a failed decoding)."""
    texts = rows.table["text"]
    nul = pc.match_substring_regex(texts, r"\x{0}").to_numpy()
    if nul.any():
        count = int(nul.sum())
        message = (
            f"{plural(count, 'text holds', 'texts hold')} NUL bytes: the file is damaged or binary. Export it anew."
        )
        yield Finding("nul_bytes", "blocking", count, message, rows.places(nul))
    broken = pc.match_substring(texts, "\ufffd").to_numpy()
    if broken.any():
        count = int(broken.sum())
        message = (
            f"{plural(count, 'text holds', 'texts hold')} '\ufffd', left by a wrong decoding. Export the file anew."
        )
        yield Finding("broken_characters", "warning", count, message, rows.places(broken))
    control = pc.match_substring_regex(texts, r"[\x01-\x08\x0b\x0c\x0e-\x1c\x1e\x1f\x7f]").to_numpy()
    if control.any():
        count = int(control.sum())
        message = f"{plural(count, 'text holds', 'texts hold')} control characters, which no reader sees. Remove them."
        yield Finding("control_characters", "warning", count, message, rows.places(control))


def find_long_texts(rows: Rows) -> Iterable[Finding]:
    """Texts of a megabyte come from a quote that is never closed or a file in a cell, not from a person."""
    sizes = pc.binary_length(rows.table["text"]).to_numpy()
    huge = sizes >= HUGE_BYTES
    if huge.any():
        count = int(huge.sum())
        message = (
            f"{plural(count, 'text has', 'texts have')} a megabyte or more: a quote never closed, or a file in "
            "a cell? Shorten or remove them."
        )
        yield Finding("huge_text", "blocking", count, message, rows.places(huge))
    long = (sizes >= LONG_BYTES) & ~huge
    if long.any():
        count = int(long.sum())
        message = f"{plural(count, 'text has', 'texts have')} over 100,000 bytes; only a small part can be read."
        yield Finding("long_text", "warning", count, message, rows.places(long))


def find_truncated(
    rows: Rows, lengths: Callable[[Sequence[str], Sequence[str] | None], Numbers], max_length: int
) -> Iterable[Finding]:
    """Texts with more tokens than a model is given. Of many rows 20,000 are counted, evenly spread."""

    def count(sample: pa.Table) -> Numbers:
        pairs = sample["text_pair"].to_pylist() if "text_pair" in sample.column_names else None
        return lengths(sample["text"].to_pylist(), pairs)

    return find_too_long(rows, count, max_length, _COUNTED_TEXTS)


def find_too_long(
    rows: Rows, count: Callable[[pa.Table], Numbers], max_length: int, most_rows: int, advice: str = _LONG_TEXTS_ADVICE
) -> Iterable[Finding]:
    """Training rows with more tokens than a model is given, by whatever counts them.

    Args:
        count: tokens of each row of a table.
        most_rows: of more rows so many are counted, evenly spread.
        advice: what to do about it, a sentence or two.
    """
    examples = rows.splits.train
    total = examples.num_rows
    places = np.unique(np.linspace(0, total - 1, min(total, most_rows)).astype(np.int64))
    sample = examples.take(pa.array(places))
    cut = np.asarray(count(sample)) > max_length
    if not cut.any():
        return
    share = float(cut.mean())
    counted = "" if len(places) == total else f" (estimated from {len(places):,})"
    message = (
        f"{share:.1%} of the training texts are longer than max_length ({max_length} tokens) and lose their rest"
        f"{counted}. {advice}"
    )
    found = sample.select(["_file", "_row"]).filter(pa.array(cut)).slice(0, 5).to_pylist()
    where = tuple({"file": row["_file"], "row": row["_row"], "split": "train"} for row in found)
    yield Finding("truncated", "warning" if share > _MANY_CUT else "note", round(share * total), message, where)


def find_cut_targets(
    rows: Rows, count: Callable[[pa.Table], Numbers], max_length: int, most_rows: int = _COUNTED_TEXTS
) -> Iterable[Finding]:
    """Training rows whose target has more tokens than a model learns and writes.

    Args:
        count: tokens of each row's target.
    """
    for finding in find_too_long(rows, count, max_length, most_rows, "Raise options.max_target_length."):
        message = finding.message.replace(
            "texts are longer than max_length", "targets are longer than max_target_length"
        )
        yield replace(finding, kind="truncated_target", message=message)


def find_foreign_language(rows: Rows, backbone: Sequence[str], stated: str | None) -> Iterable[Finding]:
    """Texts in a language that the backbone was not trained on."""
    language = stated if stated and stated != "auto" else detect_language(rows.splits.train["text"].to_pylist())
    if language == "und" or "multilingual" in backbone or language in backbone:
        return
    message = (
        f"The texts look like '{language}', but the backbone knows {', '.join(backbone)}. "
        "Choose one for this language with `provetune models list`, or state language in the problem file."
    )
    yield Finding("language_unlike_backbone", "warning", rows.count("train"), message)
