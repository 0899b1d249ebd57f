"""The plain recipes of encoders: texts and pairs, tags, and answers to questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from plain_recipes import Recipe, model_outputs

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.study.resolved import ResolvedStudy

IGNORED = -100
TEXT_LENGTH = 128
WINDOW, SHARED, ANSWER, BEST = 384, 128, 30, 20


def of_texts(study: ResolvedStudy, rows: pa.Table, candidate: str, *, fixed: bool) -> Recipe:
    """``run_glue``: a text or two, one vector of outputs; relations keep their markers as plain letters."""
    import torch
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding

    tokenizer, folder = _tokenizer(study, candidate)
    names = study.targets.names
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names), dtype=torch.float32)
    task: Any = study.task

    def encode(examples: pa.Table, padding: Any) -> list[dict[str, Any]]:
        texts = [examples[name].to_pylist() for name in ("text", "text_pair") if name in examples.column_names]
        return _by_feature(tokenizer(*texts, padding=padding, truncation=True, max_length=TEXT_LENGTH))

    features = encode(rows, "max_length" if fixed else False)
    collate = DataCollatorWithPadding(tokenizer)
    for feature, label in zip(features, task.label_array(rows, study.targets), strict=True):
        feature["labels"] = int(label) if label.ndim == 0 else label.astype(np.float32).tolist()
    if len(names) == 1:  # as run_glue has it: a number, not a list of one
        for feature in features:
            feature["labels"] = feature["labels"][0]

    def answers(examples: pa.Table) -> Any:
        found = model_outputs(model, encode(examples, False), collate, lambda output, _: _array(output.logits))
        return task.answers(np.stack(found), None, examples, study.targets)

    return Recipe(model, features, collate, 5e-5, answers, rows.num_rows)


def of_tags(study: ResolvedStudy, rows: pa.Table, candidate: str) -> Recipe:
    """``run_ner``: the file's tokens, a token's first piece has its tag."""
    import torch
    from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification

    from provetune.data.span_words import spans_of_cell, tag_names, tag_words

    tokenizer, folder = _tokenizer(study, candidate)
    tags = tag_names(study.targets.names)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(tags), dtype=torch.float32)
    longest = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    numbers = {name: k for k, name in enumerate(study.targets.names)}

    def encode(examples: pa.Table) -> tuple[list[dict[str, Any]], list[np.ndarray[Any, Any]]]:
        words = [
            [text[start:end] for start, end in zip(starts, ends, strict=True)]
            for text, starts, ends in zip(*_columns(examples, "text", "token_starts", "token_ends"), strict=True)
        ]
        found = tokenizer(words, is_split_into_words=True, truncation=True, max_length=longest)
        return _by_feature(found), [_first_pieces(found.word_ids(k)) for k in range(len(words))]

    features, firsts = encode(rows)
    cells = _columns(rows, "token_starts", "token_ends", "label")
    for feature, first, starts, ends, cell in zip(features, firsts, *cells, strict=True):
        wanted = tag_words(np.array(starts), np.array(ends), spans_of_cell(cell), numbers)
        labels = np.full(len(feature["input_ids"]), IGNORED)
        labels[first] = wanted[: len(first)]
        feature["labels"] = labels.tolist()
    collate = DataCollatorForTokenClassification(tokenizer)

    def answers(examples: pa.Table) -> Any:
        encoded, speaking = encode(examples)
        # The collator fills up labels too, and asks for them.
        unlabelled = [{**feature, "labels": [IGNORED] * len(feature["input_ids"])} for feature in encoded]
        best = model_outputs(model, unlabelled, collate, lambda output, _: _array(output.logits.argmax(-1)))
        said = [[tags[k] for k in row[first]] for row, first in zip(best, speaking, strict=True)]
        return _as_spans(examples, said, study)

    return Recipe(model, features, collate, 5e-5, answers, rows.num_rows)


def of_questions(study: ResolvedStudy, rows: pa.Table, candidate: str, *, fixed: bool) -> Recipe:
    """``run_qa``: windows of the passage after the question, the first of the given answers."""
    import torch
    from transformers import AutoModelForQuestionAnswering, DataCollatorWithPadding

    tokenizer, folder = _tokenizer(study, candidate)
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32)

    def encode(examples: pa.Table, padding: Any) -> Any:
        questions, contexts = _columns(examples, "text", "text_pair")
        return tokenizer(
            [question.lstrip() for question in questions],
            contexts,
            truncation="only_second",
            max_length=WINDOW,
            stride=SHARED,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=padding,
        )

    windows = encode(rows, "max_length" if fixed else False)
    collate = DataCollatorWithPadding(tokenizer)
    golds = rows["label"].to_pylist()
    features = []
    for k, row in enumerate(windows["overflow_to_sample_mapping"]):
        start, end = _answer_place(golds[row], windows["offset_mapping"][k], windows.sequence_ids(k))
        features.append({**_inputs(windows, k), "start_positions": start, "end_positions": end})

    def answers(examples: pa.Table) -> Any:
        found = encode(examples, False)
        inputs = [_inputs(found, k) for k in range(len(found["input_ids"]))]
        logits = model_outputs(
            model,
            inputs,
            collate,
            lambda output, _: _array(torch.stack([output.start_logits, output.end_logits], dim=-1)),
        )
        spans: list[list[Any]] = [[] for _ in range(examples.num_rows)]
        for k, row in enumerate(found["overflow_to_sample_mapping"]):
            inside = np.array([part == 1 for part in found.sequence_ids(k)])
            spans[row].append(
                _spans(logits[k][: len(inputs[k]["input_ids"])], np.array(found["offset_mapping"][k]), inside)
            )
        return study.task.answers([np.concatenate(each) for each in spans], None, examples, study.targets)

    return Recipe(model, features, collate, 3e-5, answers, rows.num_rows)


def _tokenizer(study: ResolvedStudy, candidate: str) -> tuple[Any, Path]:
    from transformers import AutoTokenizer

    backbone = study.backbones[candidate]
    if backbone is None:
        raise SystemExit(f"Candidate '{candidate}' has no backbone.")
    return AutoTokenizer.from_pretrained(backbone.path), backbone.path


def _columns(examples: pa.Table, *names: str) -> list[list[Any]]:
    return [examples[name].to_pylist() for name in names]


def _by_feature(encoded: Any) -> list[dict[str, Any]]:
    return [_inputs(encoded, k) for k in range(len(encoded["input_ids"]))]


def _inputs(encoded: Any, k: int) -> dict[str, Any]:
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: encoded[name][k] for name in names if name in encoded}


def _array(values: Any) -> np.ndarray[Any, Any]:
    return np.asarray(values.cpu().numpy())


def _first_pieces(words: Sequence[int | None]) -> np.ndarray[Any, Any]:
    """Where the first piece of each word stands that is not cut off; a word without pieces has none of its own."""
    first: dict[int, int] = {}
    for place, word in enumerate(words):
        if word is not None:
            first.setdefault(word, place)
    count = max(first, default=-1) + 1
    return np.array([first.get(word, first[min(k for k in first if k >= word)]) for word in range(count)], dtype=int)


def _as_spans(examples: pa.Table, said: Sequence[Sequence[str]], study: ResolvedStudy) -> Any:
    """The spans that the tags of tokens mean, a broken sequence taken as seqeval takes it; cut tokens are outside."""
    from provetune.data.tag_schemes import spans_of_tags
    from provetune.models.word_pieces import Places
    from provetune.tasks.tagging.answers import TagAnswers

    names = list(study.targets.names)
    found = [
        (row, starts[first], ends[stop - 1], names.index(label))
        for row, (tags, starts, ends) in enumerate(
            zip(said, *_columns(examples, "token_starts", "token_ends"), strict=True)
        )
        for first, stop, label in spans_of_tags(tags)
    ]
    rows, starts, ends, labels = np.array(found, dtype=np.int64).reshape(-1, 4).T
    ones = np.ones(len(found))
    return TagAnswers(
        examples["text"].to_pylist(), Places(rows, starts, ends), labels, ones, np.ones((len(found), len(names)))
    )


def _answer_place(gold: Sequence[Any], offsets: Sequence[Any], parts: Sequence[int | None]) -> tuple[int, int]:
    """First and last token of the answer, the classification token's where the window does not hold it whole."""
    inside = [k for k, part in enumerate(parts) if part == 1]
    if not gold or gold[0]["start"] < 0:
        return 0, 0
    first, last = gold[0]["start"], gold[0]["start"] + len(gold[0]["text"])
    if offsets[inside[0]][0] > first or offsets[inside[-1]][1] < last:
        return 0, 0
    starts = [k for k in inside if offsets[k][0] <= first]
    ends = [k for k in inside if offsets[k][1] >= last]
    return starts[-1], ends[0]


def _spans(logits: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any], inside: np.ndarray[Any, Any]) -> Any:
    """Candidates of a window (K, 3), first letter, end, score: of the 20 best beginnings and ends those that fit."""
    begin, end = (np.where(inside, logits[:, side], -np.inf) for side in (0, 1))
    found = [
        (offsets[start, 0], offsets[stop, 1], begin[start] + end[stop])
        for start in np.argsort(-begin)[:BEST]
        for stop in np.argsort(-end)[:BEST]
        if inside[start] and inside[stop] and start <= stop < start + ANSWER
    ]
    return np.array(found, dtype=np.float64).reshape(-1, 3)
