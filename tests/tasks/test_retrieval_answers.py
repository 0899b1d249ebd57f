"""Retrieval: vectors, their order, scores and what a person is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import Targets
from provetune.evaluation.ranking import ndcg_at
from provetune.tasks import TASKS
from provetune.tasks.retrieval.answers import Search

TASK = TASKS.get("retrieval")
TARGETS = Targets("documents", (), (), None, TASK.options().model_dump(mode="json"))


def table(rows: list[tuple[str, str | None]], corpus: list[str] | None = None) -> pa.Table:
    columns: dict[str, Any] = {
        "row_id": [f"r{k}" for k in range(len(rows))],
        "text": [query for query, _ in rows],
        "text_pair": pa.array([document for _, document in rows], pa.string()),
        "label": pa.array([document for _, document in rows], pa.string()),
    }
    if corpus is not None:
        columns["corpus"] = pa.array([corpus, *[[]] * (len(rows) - 1)], pa.list_(pa.string()))
    return pa.table(columns)


def vectors(named: dict[str, list[float]], rows: pa.Table) -> list[np.ndarray]:
    """Outputs of judged features in their order: query of each row, documents where they come first."""
    from provetune.data.documents import find_documents
    from provetune.tasks.retrieval.encoding import sides_of

    found = find_documents(rows)
    _, _, places = sides_of(found, len(rows))
    texts = [*rows["text"].to_pylist(), *found.texts]
    return [np.array(named[texts[place]], dtype=np.float32) for place in places.tolist()]


NAMED = {"q1": [1.0, 0.0], "q2": [0.0, 1.0], "d1": [0.9, 0.1], "d2": [0.1, 0.9], "d3": [0.95, 0.0], "d4": [0.0, 0.95]}


def test_places_are_those_among_all_documents() -> None:
    rows = table([("q1", "d1"), ("q2", "d2"), ("q1", "d3")], ["d4"])
    answers = TASK.answers(vectors(NAMED, rows), None, rows, TARGETS)
    outcomes = TASK.outcomes(rows, answers, TARGETS)
    # q1: d3 (.95), d1 (.9), …, both right; q2: d4 (.95), d2 (.9), …, the second right.
    assert outcomes["places"].to_pylist() == [[1, 2], [2], [1, 2]]
    assert outcomes["counted"].to_pylist() == [True, True, False]
    assert outcomes["prediction"].to_pylist() == ["d3", "d4", "d3"]
    assert outcomes["score"].to_pylist() == pytest.approx([0.95, 0.95, 0.95])
    assert outcomes["documents"].to_pylist() == [4, 4, 4]
    scores = TASK.score(outcomes, TARGETS)
    expected = ndcg_at([np.array([1, 2]), np.array([2])], 10).mean()
    assert scores["ndcg_at_10"] == pytest.approx(expected)
    assert scores["mrr"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["recall_at_1"] == pytest.approx((1 / 2 + 0) / 2)
    assert scores["recall_at_5"] == 1


def test_a_query_counts_once_however_many_rows_ask_it() -> None:
    rows = table([("q1", "d1"), ("q1", "d1"), ("q2", "d2")], ["d3", "d4"])
    outcomes = TASK.outcomes(rows, TASK.answers(vectors(NAMED, rows), None, rows, TARGETS), TARGETS)
    judged = TASK.judged(outcomes, TARGETS, groups=["x", "x", "y"])
    assert len(judged) == 3
    assert np.isnan(judged.metric("mrr").values).tolist() == [False, True, False]
    assert judged.metric("mrr").value() == TASK.score(outcomes, TARGETS)["mrr"] == pytest.approx(0.5)
    assert judged.groups.tolist() == [0, 0, 1]


def test_rows_without_a_document_are_not_judged() -> None:
    rows = table([("q1", "d1"), ("q2", None)], ["d2"])
    outcomes = TASK.outcomes(rows, TASK.answers(vectors(NAMED, rows), None, rows, TARGETS), TARGETS)
    assert outcomes["places"].to_pylist() == [[1], []]
    assert len(TASK.judged(outcomes, TARGETS)) == 1
    assert TASK.score(outcomes, TARGETS)["mrr"] == 1


def test_a_document_that_does_not_answer_is_only_there_to_be_found() -> None:
    rows = table([("q1", None), ("q1", "d1"), ("q2", None), ("q2", "d2")])
    rows = rows.set_column(3, "label", pa.array(["d3", "d1", "d4", "d2"]))
    rows = rows.append_column("negatives", pa.array([["d3"], ["d3"], ["d4"], ["d4"]]))
    outcomes = TASK.outcomes(rows, TASK.answers(vectors(NAMED, rows), None, rows, TARGETS), TARGETS)
    assert outcomes["counted"].to_pylist() == [False, True, False, True]
    assert outcomes["documents"].to_pylist() == [4] * 4
    assert TASK.score(outcomes, TARGETS)["mrr"] == pytest.approx(1 / 2)
    assert TASK.judged(outcomes, TARGETS).metric("mrr").concerned().tolist() == [False, True, False, True]


def test_queries_alone_give_vectors() -> None:
    rows = pa.table({"text": ["q1", "q2"]})
    answers = TASK.answers([np.array(NAMED[name]) for name in ("q1", "q2")], None, rows, TARGETS)
    assert isinstance(answers, np.ndarray)
    assert TASK.predictions(answers, TARGETS) == [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 1.0]}]


def test_documents_of_a_corpus_are_told_in_order() -> None:
    rows = pa.table({"text": ["q1", "q2"], "corpus": pa.array([["d1", "d2", "d3"], []], pa.list_(pa.string()))})
    search = TASK.answers(vectors(NAMED, rows), None, rows, TARGETS)
    assert isinstance(search, Search)
    told = TASK.found(search, top_k=2)  # type: ignore[attr-defined]
    assert [row["document"] for row in told] == ["d3", "d2"]
    assert [[each["document"] for each in row["documents"]] for row in told] == [["d3", "d1"], ["d2", "d1"]]
    again = TASK.found(np.array([NAMED["d4"]], np.float32), top_k=1, among=search)  # type: ignore[attr-defined]
    assert again[0]["document"] == "d2"


def test_a_wrong_number_of_vectors_is_refused() -> None:
    rows = table([("q1", "d1")])
    with pytest.raises(ValueError, match="2 vectors"):
        TASK.answers([np.zeros(2)], None, rows, TARGETS)


def test_the_report_counts_places() -> None:
    rows = table([("q1", "d1"), ("q2", "d2")], ["d3", "d4"])
    outcomes = TASK.outcomes(rows, TASK.answers(vectors(NAMED, rows), None, rows, TARGETS), TARGETS)
    (found,) = TASK.tables(outcomes, TARGETS)  # type: ignore[attr-defined]
    assert found.rows[:2] == (("1", 0, 0.0), ("2 to 3", 2, 1.0))
    assert "4 documents" in found.note


# -- bundles -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the tiny backbone with a prefix for queries, untrained."""
    from transformers import AutoModel

    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_tokenizer

    options = TASK.options(query_prefix="ask: ").model_dump(mode="json")
    targets = Targets("documents", (), (), None, options)
    tokenizer = TASK.prepare_tokenizer(load_tokenizer(tiny_backbone), targets)  # type: ignore[attr-defined]
    model = TASK.prepare_model(AutoModel.from_pretrained(tiny_backbone).eval(), tokenizer, targets)  # type: ignore[attr-defined]
    record = {"encode": {"max_length": 48, "long_texts": "head", "stride": 8}, "inputs": "question"}
    contents = BundleContents(
        "transformers",
        "retrieval",
        targets,
        Golden.of(["a"], [[0.0]]),
        record,
        model=model,
        tokenizer=tokenizer,
        furnish=lambda folder: TASK.furnish(folder, model, tokenizer, targets),  # type: ignore[attr-defined]
    )
    return write_bundle(tmp_path_factory.mktemp("bundles") / "found", contents)


DOCUMENTS = ["the red car stands here", "a blue bus", "花呗怎么还款", "nothing"]


def test_sentence_transformers_loads_the_bundle(bundle: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from provetune.inference.predictor import load

    moved = tmp_path / "moved"
    shutil.copytree(bundle, moved)
    theirs = SentenceTransformer(str(moved), device="cpu", local_files_only=True)
    ours = [row["embedding"] for row in load(bundle).predict(DOCUMENTS)]
    np.testing.assert_allclose(theirs.encode(DOCUMENTS, prompt_name="query"), ours, atol=1e-5)
    assert theirs.max_seq_length == 48


def test_a_corpus_is_searched_as_sentence_transformers_does(bundle: Path) -> None:
    from sentence_transformers import SentenceTransformer, util

    from provetune.inference.corpus_search import search_among
    from provetune.inference.predictor import load

    theirs = SentenceTransformer(str(bundle), device="cpu", local_files_only=True)
    queries = ["which car", "还款"]
    hits = util.semantic_search(
        theirs.encode(queries, prompt_name="query", convert_to_tensor=True),
        theirs.encode(DOCUMENTS, prompt_name="document", convert_to_tensor=True),
        top_k=3,
    )
    finder = search_among(load(bundle), [*DOCUMENTS, DOCUMENTS[0]])
    for _ in range(2):  # the second time the documents are not read again
        told = finder.predict(queries, top_k=3)
        for row, expected in zip(told, hits, strict=True):
            assert [each["document"] for each in row["documents"]] == [DOCUMENTS[hit["corpus_id"]] for hit in expected]
            assert [each["score"] for each in row["documents"]] == pytest.approx(
                [h["score"] for h in expected], abs=1e-5
            )
            assert row["document"] == row["documents"][0]["document"]
    assert finder.answer_keys == ("document", "score")
    kept = finder.predict(["", "which car"], missing="keep")
    assert kept[0] == {"document": None, "score": None, "documents": []}


def test_a_corpus_file_is_read_as_the_problem_reads_it(bundle: Path, tmp_path: Path) -> None:
    from provetune.inference.corpus_search import read_documents, search_among
    from provetune.inference.predictor import load

    path = tmp_path / "documents.jsonl"
    path.write_text("\n".join(json.dumps({"id": k, "document": text}) for k, text in enumerate(DOCUMENTS)))
    predictor = load(bundle)
    assert read_documents(predictor, path) == DOCUMENTS
    with pytest.raises(DataError, match="no document"):
        search_among(predictor, ["", " "])


def test_only_tasks_that_search_take_a_corpus(bundle: Path) -> None:
    from provetune.inference.corpus_search import search_among
    from provetune.inference.predictor import Predictor, load

    plain = load(bundle)
    other = Predictor(plain.path, TASKS.get("classification"), plain.targets, plain.record, plain._answerer)
    with pytest.raises(UsageError, match="finds no documents"):
        search_among(other, DOCUMENTS)


# -- learning ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["ranking", "margin", "cosine"])
def test_every_loss_brings_queries_to_their_documents(loss: str, tiny_backbone: Path) -> None:
    import torch
    from transformers import AutoModel

    from provetune.core.protocols import EncodeSettings
    from provetune.inference.features import FeatureTable
    from provetune.models.forward import predict_outputs
    from provetune.models.loading import load_tokenizer

    words = ["red car", "blue bus", "green tram", "white boat", "black bike", "grey plane"]
    rows = table([(f"where is the {word}", f"{word[::-1]} {k} stands there") for k, word in enumerate(words)])
    targets = TASK.targets(rows, options={"loss": loss})
    settings = EncodeSettings(max_length=64)
    tokenizer = load_tokenizer(tiny_backbone)
    torch.manual_seed(0)
    model = TASK.prepare_model(AutoModel.from_pretrained(tiny_backbone), tokenizer, targets).train()  # type: ignore[attr-defined]

    def reciprocal() -> float:
        features = FeatureTable(TASK.encode(rows, tokenizer, settings, None))
        outputs = predict_outputs(model, TASK, features, 0, targets=targets, tokenizer=tokenizer)
        return TASK.score(TASK.outcomes(rows, TASK.answers(outputs, features, rows, targets), targets), targets)["mrr"]

    before = reciprocal()
    features = FeatureTable(TASK.encode(rows, tokenizer, settings, targets))
    batch = TASK.collate(features.take(range(len(features))), 0)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        TASK.loss(TASK.forward(model, batch), batch["labels"], targets, None).backward()  # type: ignore[attr-defined]
        optimiser.step()
    assert before < 0.8
    assert reciprocal() > 0.95


def test_low_rank_updates_learn_on_a_bare_encoder(tiny_backbone: Path) -> None:
    import torch

    from provetune.core.protocols import EncodeSettings
    from provetune.inference.features import FeatureTable
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.models.methods.lora import METHOD

    rows = table([("where is it", "it stands here"), ("who", "she"), ("when", "at noon")])
    targets, tokenizer = TASK.targets(rows), load_tokenizer(tiny_backbone)
    plain = TASK.prepare_model(load_model(tiny_backbone, TASK.auto_class, {}, seed=0), tokenizer, targets)  # type: ignore[attr-defined]
    model = METHOD.prepare(plain, METHOD.settings(), TASK)
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    features = FeatureTable(TASK.encode(rows, tokenizer, EncodeSettings(max_length=64), targets))
    batch = TASK.collate(features.take(range(3)), 0)
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(10):
        loss = TASK.loss(TASK.forward(model, batch), batch["labels"], targets, None)  # type: ignore[attr-defined]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    merged = METHOD.merge(model.eval())
    with torch.inference_mode():
        wrapped, alone = (TASK.forward(each.eval(), batch) for each in (model, merged))  # type: ignore[attr-defined]
    np.testing.assert_allclose(wrapped, alone, atol=1e-5)
    assert type(merged).__name__ == "BertModel"


def test_the_first_token_can_be_the_vector(tiny_backbone: Path) -> None:
    import torch
    from transformers import AutoModel

    from provetune.core.protocols import EncodeSettings
    from provetune.inference.features import FeatureTable
    from provetune.models.loading import load_tokenizer

    rows = table([("where is it", "it stands here"), ("who", "she")])
    targets = TASK.targets(rows, options={"pooling": "first"})
    tokenizer, model = load_tokenizer(tiny_backbone), AutoModel.from_pretrained(tiny_backbone).eval()
    model = TASK.prepare_model(model, tokenizer, targets)  # type: ignore[attr-defined]
    features = FeatureTable(TASK.encode(rows, tokenizer, EncodeSettings(max_length=64), targets))
    with torch.inference_mode():
        found = TASK.forward(model, TASK.collate(features.take(range(2)), 0))  # type: ignore[attr-defined]
        alone = model(**tokenizer("it stands here", return_tensors="pt")).last_hidden_state[0, 0]
    np.testing.assert_allclose(found[0, 1], alone / alone.norm(), atol=1e-5)
