"""Sources and targets to token numbers, and to padded batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings, Targets

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

BATCH_ROWS = 1024
IGNORED = -100
PREFIX = "source_prefix"
"""Where a bundle's ``tokenizer_config.json`` keeps what stands before every source."""


def encode_sides(examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
    """Features: ``row``, ``input_ids``, ``cut`` and ``source_cut`` (tokens lost); with `targets` ``labels`` as well.

    With labels, ``length`` is the longer of the two sides: batches of rows that are close in it have little padding on
    either (on Multi30k a tenth of the tokens, against two fifths by the source's length), and as many tokens as a batch
    may have are what its larger side takes.

    Raises:
        DataError: a row has no source, or there are no rows.
        UsageError: there is no room for a token, or texts are to be cut into windows.
    """
    import pyarrow as pa

    from provetune.models.encoding import as_lists, refuse_missing
    from provetune.models.places import Places

    if settings.long_texts == "windows":
        raise UsageError("seq2seq reads a source whole: long_texts must be head or head_tail. Got windows instead.")
    if examples.num_rows == 0:
        raise DataError("There are no rows to encode.")
    prefix = _prefix(tokenizer, targets)
    sources, lost, labels, labels_lost = [], [], [], []
    for start in range(0, examples.num_rows, BATCH_ROWS):
        part = examples.slice(start, BATCH_ROWS)
        texts = part.column("text").to_pylist()
        refuse_missing(texts, start, Places.of(examples))
        ids, cut = _encode_side(tokenizer, [prefix + text for text in texts], settings.max_length, settings.long_texts)
        sources += ids
        lost += cut
        if targets is not None:
            wanted = [text or "" for text in part.column("label").to_pylist()]
            most = int(targets.options["max_target_length"])
            ids, cut = _encode_side(tokenizer, wanted, most, "head", target=True)
            # A row without a target teaches nothing, and an empty text is none.
            labels += [found if text else [IGNORED] for found, text in zip(ids, wanted, strict=True)]
            labels_lost += cut
    columns = {
        "row": np.arange(examples.num_rows, dtype=np.int32),
        "input_ids": as_lists(sources, np.int32),
        "source_cut": np.asarray(lost, dtype=np.int32),
    }
    if targets is None:
        return pa.table({**columns, "cut": columns["source_cut"]})
    lengths = np.maximum([len(ids) for ids in sources], [len(ids) for ids in labels])
    return pa.table(
        {
            **columns,
            "cut": np.add(lost, labels_lost).astype(np.int32),
            "labels": as_lists(labels, np.int32),
            "length": lengths.astype(np.int32),
        }
    )


def count_side(texts: Sequence[str], tokenizer: Any, *, target: bool = False) -> Array:
    """Tokens of each text on its side, prefix and special ones included, int64 (N,)."""
    prefix = "" if target else _prefix(tokenizer, None)
    counts: list[int] = []
    for start in range(0, len(texts), BATCH_ROWS):
        part = [prefix + text for text in texts[start : start + BATCH_ROWS]]
        counts += [len(ids) for ids in _tokenize(tokenizer, part, target)]
    return np.asarray(counts, dtype=np.int64)


def pad_sides(features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``attention_mask`` (B, S); ``labels`` (B, T), -100 where there is none."""
    import torch

    from provetune.models.padding import pad_features

    # Not to a multiple of eight: with so many tokens in a row of a batch, the matrices are large enough as they are.
    batch = pad_features(features, pad_id, multiple=1)
    if "labels" in features[0]:
        width = max(len(feature["labels"]) for feature in features)
        labels = np.full((len(features), width), IGNORED, dtype=np.int64)
        for row, feature in enumerate(features):
            labels[row, : len(feature["labels"])] = feature["labels"]
        batch["labels"] = torch.from_numpy(labels)
    return batch


def _prefix(tokenizer: Any, targets: Targets | None) -> str:
    settled = getattr(tokenizer, "init_kwargs", {}).get(PREFIX)
    if settled is None and targets is not None:
        settled = targets.options.get("prefix")
    return str(settled or "")


def _encode_side(
    tokenizer: Any, texts: list[str], most: int, long_texts: str, *, target: bool = False
) -> tuple[list[list[int]], list[int]]:
    """Token ids of each text, special ones included, `most` at most; and how many tokens each lost."""
    found = _tokenize(tokenizer, texts, target)
    if max(map(len, found)) <= most:
        return found, [0] * len(found)
    before, after = _frame(tokenizer, target)
    room = most - before - after
    if room < 1:
        side = "options.max_target_length" if target else "max_length"
        raise UsageError(f"{side} {most} leaves no room for text.", hint=f"Raise {side}.")
    kept = [_shorten(ids, most, room, before, after, long_texts) for ids in found]
    return kept, [len(ids) - len(short) for ids, short in zip(found, kept, strict=True)]


def _tokenize(tokenizer: Any, texts: list[str], target: bool) -> list[list[int]]:
    if not callable(tokenizer):  # a `tokenizers.Tokenizer`, which has one side alone
        return [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    # Quiet about texts that are too long: they are cut here, and counted.
    given = tokenizer(text_target=texts, verbose=False) if target else tokenizer(texts, verbose=False)
    ids: list[list[int]] = given["input_ids"]
    return ids


def _frame(tokenizer: Any, target: bool) -> tuple[int, int]:
    """How many special tokens stand before and after a text."""
    empty, filled = _tokenize(tokenizer, ["", "a"], target)
    before = 0
    while before < len(empty) and empty[before] == filled[before]:
        before += 1
    return before, len(empty) - before


def _shorten(ids: list[int], most: int, room: int, before: int, after: int, long_texts: str) -> list[int]:
    if len(ids) <= most:
        return ids
    from provetune.models.encoding import HEAD_SHARE

    body, end = ids[before : len(ids) - after], ids[len(ids) - after :]
    head = int(room * HEAD_SHARE) if long_texts == "head_tail" else room
    return [*ids[:before], *body[:head], *body[len(body) - (room - head) :], *end]
