"""Rows into features: to learn from, a query with its documents; to be judged, each different text alone.

A batch to learn from holds both sides. Judged texts go through the model one by one, a document that many rows share
only once, so that the long ones are batched with the long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings
from provetune.data.documents import ABSENT, Documents, find_documents, number_texts
from provetune.tasks.retrieval.prefixes import DOCUMENT, QUERY, prefix_of

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

QUERY_SIDE, DOCUMENT_SIDE = 0, 1
_LETTERS_A_TOKEN = 32


def encode_judged(examples: pa.Table, tokenizer: Any, settings: EncodeSettings) -> pa.Table:
    """A feature for every row's query, and one for every different document at the row that first has it.

    Returns:
        ``row``, ``input_ids``, ``cut`` and ``side`` (int8, 1 for documents), in the order that `sides_of` gives.
    """
    import pyarrow as pa

    found = find_documents(examples)
    queries = _encode(examples.column("text"), tokenizer, settings, QUERY, examples)
    if not len(found):
        return queries.append_column("side", pa.array(np.zeros(len(queries), np.int8)))
    documents = _encode(pa.chunked_array([pa.array(found.texts, pa.string())]), tokenizer, settings, DOCUMENT)
    rows, sides, places = sides_of(found, len(examples))
    table = pa.concat_tables([queries, documents]).take(pa.array(places))
    table = table.set_column(0, "row", pa.array(rows.astype(np.int32)))
    return table.append_column("side", pa.array(sides.astype(np.int8)))


def sides_of(found: Documents, count: int) -> tuple[Array, Array, Array]:
    """The order of judged features, (N + M,) each: row, side, and number among N queries before M documents."""
    rows = np.concatenate([np.arange(count), found.seen])
    sides = np.repeat([QUERY_SIDE, DOCUMENT_SIDE], [count, len(found)])
    order = np.argsort(rows, kind="stable")
    return rows[order], sides[order], order


def encode_training(
    examples: pa.Table, tokenizer: Any, settings: EncodeSettings, negatives: Sequence[Sequence[int]]
) -> pa.Table:
    """A feature for every row with an answer: its query, and its document with hard negatives after it.

    Args:
        negatives: numbers of each row's wrong documents, as `find_documents` numbers them; N sequences.

    Returns:
        ``row``, ``input_ids`` (query), ``cut`` (of all its texts), ``pair_input_ids`` (documents one after another),
        ``sizes`` (tokens of each), ``length`` (all tokens) and ``labels`` (numbers of the texts, query first; -1 fills
        up to the row with most).

    Raises:
        DataError: no row has both sides.
    """
    import pyarrow as pa

    from provetune.models.encoding import as_lists

    found = find_documents(examples)
    kept = np.flatnonzero((found.own != ABSENT) & (found.asked != ABSENT))
    if not len(kept):
        raise DataError("No training row has a query and a document.", hint="Check data.columns.")
    queries = _encode(examples.column("text"), tokenizer, settings, QUERY, examples)
    documents = _encode(pa.chunked_array([pa.array(found.texts, pa.string())]), tokenizer, settings, DOCUMENT)
    ids, cuts = documents.column("input_ids").to_pylist(), documents.column("cut").to_numpy()
    chosen = [[int(found.own[row]), *negatives[row]] for row in kept.tolist()]
    taken = queries.take(pa.array(kept))
    cut = taken.column("cut").to_numpy() + np.array([int(cuts[each].sum()) for each in chosen])
    sizes = [[len(ids[number]) for number in each] for each in chosen]
    lengths = np.array([len(each) for each in taken.column("input_ids").to_pylist()]) + np.array(list(map(sum, sizes)))
    return pa.table(
        {
            "row": pa.array(kept.astype(np.int32)),
            "input_ids": taken.column("input_ids"),
            "cut": pa.array(cut.astype(np.int32)),
            "pair_input_ids": as_lists(
                [[token for number in each for token in ids[number]] for each in chosen], np.int32
            ),
            "sizes": as_lists(sizes, np.int32),
            "length": pa.array(lengths.astype(np.int32)),
            "labels": as_lists(_numbered(examples, found, kept, chosen), np.int32),
        }
    )


def count_sides(examples: pa.Table, tokenizer: Any, most: int) -> Array:
    """Tokens of the longer side of each row, int64 (N,), special tokens included.

    A text of very many letters is counted from its beginning alone: it is longer than `most` in any case.
    """
    from provetune.models.encoding import BATCH_ROWS, fast_tokenizer

    fast, letters = fast_tokenizer(tokenizer), max(1_000, _LETTERS_A_TOKEN * most)
    counts = np.zeros(len(examples), dtype=np.int64)
    for name, side in (("text", QUERY), ("text_pair", DOCUMENT)):
        if name not in examples.column_names:
            continue
        prefix = prefix_of(tokenizer, side)
        texts = [prefix + (text or "")[:letters] for text in examples.column(name).to_pylist()]
        for start in range(0, len(texts), BATCH_ROWS):
            found = [len(each.ids) for each in fast.encode_batch_fast(texts[start : start + BATCH_ROWS])]
            counts[start : start + len(found)] = np.maximum(counts[start : start + len(found)], found)
    return counts


def collate_sides(features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """A padded batch of judged texts, or of both sides with every different document once.

    Returns:
        ``input_ids`` and ``attention_mask`` (B, T); to learn from also ``pair_input_ids`` and ``pair_attention_mask``
        (P, T'), ``slots`` (B, S - 1: which of the P each document is, -1 for none) and ``labels`` (B, S).
    """
    import torch

    from provetune.models.padding import pad_features

    batch = pad_features([{"input_ids": each["input_ids"]} for each in features], pad_id)
    if "labels" not in features[0]:
        return batch
    places: dict[int, int] = {}
    texts: list[dict[str, Any]] = []
    labels = np.stack([np.asarray(each["labels"], dtype=np.int64) for each in features])
    slots = np.full((len(features), labels.shape[1] - 1), ABSENT, dtype=np.int64)
    for row, each in enumerate(features):
        parts = np.split(np.asarray(each["pair_input_ids"]), np.cumsum(each["sizes"])[:-1])
        for slot, tokens in enumerate(parts):
            number = int(labels[row, slot + 1])
            if number not in places:
                places[number] = len(texts)
                texts.append({"input_ids": tokens})
            slots[row, slot] = places[number]
    second = pad_features(texts, pad_id)
    batch["pair_input_ids"], batch["pair_attention_mask"] = second["input_ids"], second["attention_mask"]
    batch["slots"], batch["labels"] = torch.from_numpy(slots), torch.from_numpy(labels)
    return batch


def _encode(
    texts: pa.ChunkedArray, tokenizer: Any, settings: EncodeSettings, side: str, examples: pa.Table | None = None
) -> pa.Table:
    """Features of texts, one each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from provetune.models.encoding import encode_texts
    from provetune.models.places import Places

    if settings.long_texts == "windows":
        raise UsageError(
            "A text of a retrieval has one vector, so it cannot be cut into windows.",
            hint="Set long_texts to head or head_tail, or cut documents into paragraphs beforehand.",
        )
    if len(texts) == 0:
        raise DataError("There are no rows to encode.")
    prefix = prefix_of(tokenizer, side)
    whole = pc.binary_join_element_wise(pa.scalar(prefix), texts, "") if prefix else texts
    places = None if examples is None else Places.of(examples)
    return pa.Table.from_batches(list(encode_texts(whole, None, tokenizer, settings, places=places)))


def _numbered(examples: pa.Table, found: Documents, kept: Array, chosen: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of the texts of each row, in which a query that is also a document has the document's."""
    import pyarrow as pa

    documents = pa.chunked_array(
        [pa.array(found.texts, pa.string()), *examples.column("text").cast(pa.string()).chunks]
    )
    numbers, _ = number_texts(documents)
    asked = numbers[len(found) :]
    most = max(map(len, chosen))
    return [
        [int(asked[row]), *each, *[ABSENT] * (most - len(each))]
        for row, each in zip(kept.tolist(), chosen, strict=True)
    ]
