"""What is kept of every judged text: gold and found spans, and the tags that they give its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import ReportTable, Targets
from provetune.data.span_words import Span, spans_of_cell, tag_names, tag_words
from provetune.data.words import find_words
from provetune.evaluation.entities import count_entities, entity_reports, error_kinds, labels_of
from provetune.evaluation.token_labels import token_reports
from provetune.tasks.tagging.answers import TagAnswers
from provetune.tasks.tagging.scores import judged_spans

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = {
    "correct": "right",
    "wrong_label": "right place, wrong label",
    "wrong_boundary": "right label, wrong start or end",
    "both_wrong": "overlaps a span of another label and another place",
    "missed": "missed",
    "spurious": "found where there is none",
}
_COLUMNS = ("label", "precision", "recall", "f1", "support", "found")


def build_outcomes(examples: pa.Table, answers: TagAnswers, targets: Targets) -> pa.Table:
    """``row_id``; ``label`` and ``prediction`` (lists of spans, the latter with a score); ``tags`` and ``found_tags``
    (BIO tags of the file's own tokens, of the text's words where it has none; ``tags`` are null without a label)."""
    import pyarrow as pa

    found = answers.spans(targets)
    scores = answers.scores.tolist()
    cells = examples.column("label").to_pylist()
    gold = [None if cell is None else spans_of_cell(cell) for cell in cells]
    names = list(dict.fromkeys([*targets.names, *labels_of([one or [] for one in gold])]))
    tokens = _tokens(examples)
    scored = [
        [
            {"start": start, "end": end, "label": label, "score": scores[number]}
            for (start, end, label), number in zip(spans, numbers, strict=True)
        ]
        for spans, numbers in zip(found, answers.rows(), strict=True)
    ]
    span = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]
    tags = pa.list_(pa.string())
    return pa.table(
        {
            "row_id": examples.column("row_id"),
            "label": examples.column("label"),
            "prediction": pa.array(scored, pa.list_(pa.struct([*span, ("score", pa.float64())]))),
            "tags": pa.array([_tags(*pair, names) for pair in zip(tokens, gold, strict=True)], tags),
            "found_tags": pa.array([_tags(*pair, names) for pair in zip(tokens, found, strict=True)], tags),
        }
    )


def report_tables(outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
    """Spans by label, what became of them, and tokens by label."""
    gold, found, kept = judged_spans(outcomes)
    names = sorted({*targets.names, *labels_of(gold, found)})
    spans = entity_reports(count_entities(gold, found, names), names)
    tokens = token_reports(kept.column("tags").to_pylist(), kept.column("found_tags").to_pylist())
    kinds = error_kinds(gold, found)
    return [
        ReportTable(
            "spans_by_label",
            "Spans by label",
            _COLUMNS,
            tuple((one.label, one.precision, one.recall, one.f1, one.support, one.predicted) for one in spans),
            "A span is right when its start, its end and its label are.",
        ),
        ReportTable(
            "span_errors",
            "What became of the spans",
            ("what", "spans"),
            tuple((words, kinds[kind]) for kind, words in _KINDS.items()),
            "Every span of the data falls under one of the first five.",
        ),
        ReportTable(
            "tokens_by_label",
            "Tokens by label",
            _COLUMNS,
            tuple((one.label, one.precision, one.recall, one.f1, one.support, one.predicted) for one in tokens),
            "O are the tokens outside of all spans.",
        ),
    ]


def _tokens(examples: pa.Table) -> list[list[tuple[int, int]]]:
    texts = examples.column("text").to_pylist()
    if "token_starts" not in examples.column_names:
        return [find_words(text) for text in texts]
    sides = (examples.column(name).to_pylist() for name in ("token_starts", "token_ends"))
    return [
        find_words(text) if starts is None else list(zip(starts, ends, strict=True))
        for text, starts, ends in zip(texts, *sides, strict=True)
    ]


def _tags(tokens: list[tuple[int, int]], spans: Sequence[Span] | None, names: Sequence[str]) -> list[str] | None:
    if spans is None:
        return None
    starts, ends = (np.array([token[side] for token in tokens], dtype=np.int64) for side in (0, 1))
    written: list[Any] = tag_names(names)
    tags = tag_words(starts, ends, spans, {name: k for k, name in enumerate(names)})
    return [written[tag] for tag in tags.tolist()]
