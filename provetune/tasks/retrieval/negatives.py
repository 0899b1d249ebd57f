"""Hard negatives: wrong documents of a query's own, given by the data or found before training.

What is found must be clearly less like the query than its right document, or it may be right itself: only documents
under 95 % of the right one's score are taken, the best of them first (TopK-PercPos of Moreira et al. 2024,
arXiv:2407.15831).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.protocols import EncodeSettings, Task
from provetune.data.documents import ABSENT, Documents, find_documents

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

CEILING = 0.95
BM25 = "bm25"
_CELLS = 1 << 24


def hard_negatives(
    examples: pa.Table, task: Task, settings: EncodeSettings, count: int, mine: str | None
) -> list[list[int]]:
    """Numbers of wrong documents for each row, the given before the found, at most `count`; N lists.

    Args:
        examples: training rows.
        task: encodes and collates texts for a model that mines.
        count: most of them a row.
        mine: ``"bm25"``, a model's name or folder, or None to take only those that rows name themselves.
    """
    found = find_documents(examples)
    given = _given(examples, found)
    if count == 0:
        return [[] for _ in given]
    if mine is None or all(len(each) >= count for each in given):
        return [each[:count] for each in given]
    texts = examples.column("text").take(found.first_rows).to_pylist()
    scores = _lexical_scores(texts, found) if mine == BM25 else _model_scores(texts, found, task, settings, mine)
    # Some more than wanted: what a row names itself may be among them.
    mined = mine_documents(scores, len(found), found.right, count + max(map(len, given), default=0))
    chosen = []
    for row, own in enumerate(given):
        more = mined[found.asked[row]] if found.asked[row] != ABSENT else np.zeros(0, np.int64)
        chosen.append([*own, *(number for number in more.tolist() if number not in own)][:count])
    return chosen


def mine_documents(
    scores: Callable[[int, int], Array], documents: int, right: Sequence[Array], count: int
) -> list[Array]:
    """The wrong documents with the highest scores under the ceiling, best first; of equal ones the lower number.

    Args:
        scores: of the queries from one number up to another, (n, M); those of 0 and below are never taken.
        right: numbers of each query's right documents, Q arrays; a query without any gets none.
        count: most of them a query.
    """
    step, found = max(1, _CELLS // max(1, documents)), []
    for start in range(0, len(right), step):
        part = right[start : start + step]
        for row, own in zip(np.asarray(scores(start, start + len(part))), part, strict=True):
            if not len(own):
                found.append(np.zeros(0, np.int64))
                continue
            allowed = (row > 0) & (row < CEILING * row[own].max())
            allowed[own] = False
            numbers = np.flatnonzero(allowed)
            found.append(numbers[np.argsort(-row[numbers], kind="stable")[:count]])
    return found


def _given(examples: pa.Table, found: Documents) -> list[list[int]]:
    """Numbers of the wrong documents that rows name, without those that are right for the same query."""
    if "negatives" not in examples.column_names:
        return [[] for _ in range(len(examples))]
    numbers = {text: number for number, text in enumerate(found.texts)}
    given = []
    for row, texts in enumerate(examples.column("negatives").to_pylist()):
        asked = found.asked[row]
        right = set(found.right[asked].tolist()) if asked != ABSENT else set()
        own = dict.fromkeys(numbers[text] for text in texts or () if text)
        given.append([number for number in own if number not in right])
    return given


def _lexical_scores(queries: Sequence[str], found: Documents) -> Callable[[int, int], Array]:
    from provetune.models.lexical import LexicalIndex, split_words

    index = LexicalIndex([split_words(text) for text in found.texts])
    words = [split_words(text) for text in queries]
    return lambda start, stop: index.scores(words[start:stop])


def _model_scores(
    queries: Sequence[str], found: Documents, task: Task, settings: EncodeSettings, name: str
) -> Callable[[int, int], Array]:
    """Cosines of the mean-pooled vectors of a model as it is."""
    import pyarrow as pa

    from provetune.models.backbones import find_backbone
    from provetune.models.features import load_encoder, read_mean
    from provetune.models.forward import predict_logits
    from provetune.models.loading import load_tokenizer
    from provetune.tasks.retrieval.encoding import DOCUMENT_SIDE, encode_judged, sides_of
    from provetune.training.features import FeatureStore

    backbone = find_backbone(name)
    tokenizer = load_tokenizer(backbone)
    corpus = pa.array([list(found.texts), *[[]] * (len(queries) - 1)], pa.list_(pa.string()))
    texts = pa.table({"text": pa.array(queries, pa.string()), "corpus": corpus})
    room = EncodeSettings(min(settings.max_length, backbone.max_positions), settings.long_texts, settings.stride)
    store = FeatureStore(encode_judged(texts, tokenizer, room).combine_chunks())
    vectors = predict_logits(load_encoder(backbone.path), task, store, tokenizer.pad_token_id, read=read_mean)
    _, sides, _ = sides_of(find_documents(texts), len(queries))
    asked, documents = vectors[sides != DOCUMENT_SIDE], vectors[sides == DOCUMENT_SIDE]
    return lambda start, stop: asked[start:stop] @ documents.T
