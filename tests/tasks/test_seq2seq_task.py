"""Seq2seq: targets, faults, loss, answers, scores and what is told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sacrebleu
import torch
from tiny_seq2seq import FAMILIES, letter_tokenizer, tiny_t5, write_family

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, Targets, WritesTexts
from provetune.models.forward import predict_outputs
from provetune.models.loading import load_model, load_tokenizer
from provetune.models.methods import METHODS
from provetune.statistics.judged import bound_of
from provetune.tasks import TASKS
from provetune.tasks.seq2seq.writing import Written, read_record, record_of
from provetune.training.features import FeatureStore

TASK = TASKS.get("seq2seq")
SENTENCES = [
    ("The card was charged twice.", "La carte a été débitée deux fois."),
    ("Nothing arrived.", "Rien n'est arrivé."),
    ("Where is my parcel?", "Où est mon colis ?"),
    ("My address is wrong.", "Mon adresse est fausse."),
]


def rows(pairs: list[tuple[str, str | None]] | None = None) -> pa.Table:
    pairs = pairs or list(SENTENCES)
    columns = {name: pa.array([pair[k] for pair in pairs], pa.string()) for k, name in enumerate(("text", "label"))}
    places = {"_file": ["pairs.csv"] * len(pairs), "_row": list(range(2, len(pairs) + 2))}
    return pa.table({"row_id": [f"r{k}" for k in range(len(pairs))], **columns, **places})


class TestTargets:
    def test_languages_and_the_longest_target_are_found_out(self) -> None:
        pairs = [("Where is the station, please? It is not for you.", "请问车站在哪里？这不是给你的。")] * 3
        found = TASK.targets(rows(pairs))
        assert (found.kind, found.names) == ("text", ())
        assert found.options["source_language"] == "en"
        assert found.options["target_language"] == "zh"
        assert found.options["max_target_length"] == len(pairs[0][1].encode()) + 4
        assert found.options["beams"] == 4

    def test_what_is_said_stays(self) -> None:
        found = TASK.targets(
            rows(), options={"target_language": "fra_Latn", "max_target_length": 9, "decoding": "greedy"}
        )
        assert found.options["target_language"] == "fra_Latn"
        assert found.options["max_target_length"] == 9
        assert Targets.from_json(found.to_json()) == found

    def test_rows_without_targets_are_refused(self) -> None:
        with pytest.raises(DataError, match="no rows with a target"):
            TASK.targets(rows([("a", None)]))

    def test_training_is_watched_greedily(self) -> None:
        assert isinstance(TASK, WritesTexts)
        found = TASK.targets(rows(), options={"beams": 7})
        assert TASK.while_training(found).options == {**found.options, "decoding": "greedy", "scored": False}


class TestCheck:
    def kinds(self, pairs: list[tuple[str, str | None]]) -> dict[str, tuple[str, int]]:
        found = TASK.check({"train": rows(pairs)})
        return {finding.kind: (finding.severity, finding.count) for finding in found}

    def test_ordinary_rows_are_fine(self) -> None:
        assert self.kinds(SENTENCES * 10) == {}

    def test_the_same_text_on_both_sides(self) -> None:
        pairs = [*SENTENCES, ("Paris  in May", "paris in may")]
        assert self.kinds(pairs) == {"same_both_sides": ("warning", 1)}
        finding = TASK.check({"train": rows(SENTENCES), "test": rows(pairs)})[0]
        assert finding.rows == ({"file": "pairs.csv", "row": 6, "split": "test"},)

    def test_a_column_named_twice_blocks(self) -> None:
        assert self.kinds([(text, text) for text, _ in SENTENCES]) == {"same_both_sides": ("blocking", 4)}

    def test_lengths_that_do_not_fit(self) -> None:
        pairs = [(f"word {k} and more", f"mot {k} et plus") for k in range(40)]
        odd = [("word", "un mot et encore un et encore un et encore"), ("a long text about a thing " * 3, "oui")]
        assert self.kinds([*pairs, *odd]) == {"odd_length_ratio": ("warning", 2)}
        finding = TASK.check({"train": rows([*pairs, *odd])})[0]
        assert [place["row"] for place in finding.rows] == [43, 42]
        assert "0.88 times" in finding.message

    def test_a_spread_that_is_wide_all_over_is_no_fault(self) -> None:
        """Summaries are between a tenth and a half of their text."""
        draw = np.random.default_rng(0)
        pairs = [("x" * 300, "y" * int(300 * draw.uniform(0.1, 0.5))) for _ in range(200)]
        assert self.kinds(pairs) == {}


class TestLoss:
    def test_it_is_the_cross_entropy_of_the_labelled_tokens(self) -> None:
        torch.manual_seed(0)
        logits, labels = torch.randn(2, 3, 7), torch.tensor([[1, 2, -100], [3, -100, -100]])
        settled = TASK.targets(rows(), options={"label_smoothing": 0.0})
        wanted = -np.mean(
            [float(torch.log_softmax(logits[i, j], 0)[k]) for i, j, k in ((0, 0, 1), (0, 1, 2), (1, 0, 3))]
        )
        assert float(TASK.loss(logits, labels, settled, None)) == pytest.approx(wanted, abs=1e-6)
        assert float(TASK.loss(logits[labels != -100], labels, settled, None)) == pytest.approx(wanted, abs=1e-6)

    def test_a_batch_with_nothing_to_learn_teaches_nothing(self) -> None:
        logits = torch.randn(1, 2, 7, requires_grad=True)
        loss = TASK.loss(logits, torch.full((1, 2), -100), TASK.targets(rows()), None)
        loss.backward()
        assert float(loss.detach()) == 0
        assert logits.grad is not None
        assert not logits.grad.any()

    @pytest.mark.parametrize("smoothing", [0.1, 0.5])
    def test_smoothing_is_that_of_torch_counted_from_its_least_value(self, smoothing: float) -> None:
        settled = TASK.targets(rows(), options={"label_smoothing": smoothing})
        size, label = 9, torch.tensor([[4]])
        share = smoothing / size
        best = torch.full((1, size), share).log()
        best[0, 4] = math.log(1 - smoothing + share)
        assert float(TASK.loss(best, label, settled, None)) == pytest.approx(0, abs=1e-6)
        other = torch.zeros(1, size)
        least = -sum(p * math.log(p) for p in torch.exp(best[0]).tolist())
        wanted = torch.nn.functional.cross_entropy(other, label[0], label_smoothing=smoothing) - least
        assert float(TASK.loss(other, label, settled, None)) == pytest.approx(float(wanted), abs=1e-6)

    def test_forward_gives_the_logits_of_the_labels_alone(self) -> None:
        torch.manual_seed(0)
        model, tokenizer, settled = tiny_t5().eval(), letter_tokenizer(), TASK.targets(rows())
        store = FeatureStore(TASK.encode(rows(), tokenizer, EncodeSettings(64), settled))
        batch = TASK.collate(store.take(range(4)), 0)
        found = TASK.forward(model, batch)
        plain = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "labels")})
        torch.testing.assert_close(found, plain.logits[batch["labels"] != -100])
        exact = replace(settled, options={**settled.options, "label_smoothing": 0.0})
        torch.testing.assert_close(TASK.loss(found, batch["labels"], exact, None), plain.loss)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_what_is_written_does_not_depend_on_the_batch(family: str, decoding: str, tmp_path: Path) -> None:
    folder = write_family(family, tmp_path / family)
    options = {"decoding": decoding, "beams": 2, "max_target_length": 8}
    settled = TASK.targets(rows(), options=options)
    tokenizer = TASK.prepare_tokenizer(load_tokenizer(folder), settled)
    model = TASK.prepare_model(load_model(folder, TASK.auto_class, TASK.head(settled), 0), tokenizer, settled)
    store = FeatureStore(TASK.encode(rows(), tokenizer, EncodeSettings(64), None))
    given: dict[str, Any] = {"targets": settled, "tokenizer": tokenizer}
    together, alone, kept, again = (
        TASK.answers(
            predict_outputs(model, TASK, store, tokenizer.pad_token_id, **given, **more), store, rows(), settled
        )
        for more in ({}, {"batch_tokens": 1}, {"keep": tmp_path / "kept"}, {"keep": tmp_path / "kept"})
    )
    assert [each.text for each in together] == [each.text for each in alone]
    np.testing.assert_allclose([each.score for each in together], [each.score for each in alone], rtol=1e-4)
    assert kept == again == together
    assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapted_model_writes_before_and_after_merging(family: str, tmp_path: Path) -> None:
    method = METHODS.get("lora")
    folder = write_family(family, tmp_path / family)
    settled = TASK.targets(rows(), options={"decoding": "greedy", "max_target_length": 8})
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(2)
    # In double precision merging rounds nothing that could turn the likeliest token of a random model into another.
    wrapped = method.prepare(load_model(folder, TASK.auto_class, {}, 0), method.settings(), TASK).double()
    learning = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert learning
    assert all("lora_" in name and "lm_head" not in name and "shared" not in name for name in learning)
    for name in learning:
        wrapped.get_parameter(name).data.normal_(std=0.3)
    store = FeatureStore(TASK.encode(rows(), tokenizer, EncodeSettings(64), settled))
    pad = tokenizer.pad_token_id
    batch = TASK.collate(store.take(range(4)), pad)
    before = TASK.forward(wrapped.eval(), batch)
    merged = method.merge(wrapped)
    torch.testing.assert_close(TASK.forward(merged, batch), before, rtol=1e-9, atol=1e-9)
    texts = [
        [
            str(record["text"])
            for record in predict_outputs(each, TASK, store, pad, targets=settled, tokenizer=tokenizer)
        ]
        for each in (wrapped, merged)
    ]
    assert texts[0] == texts[1]
    untrained = load_model(folder, TASK.auto_class, {}, 0).double().eval()
    assert (TASK.forward(untrained, batch) - before).abs().max() > 0.01


class TestAnswers:
    def answers(self, texts: list[str]) -> list[Written]:
        return [Written(text, 0.5, number == 1, number) for number, text in enumerate(texts)]

    def outcomes(self, texts: list[str], table: pa.Table | None = None) -> pa.Table:
        return TASK.outcomes(rows() if table is None else table, self.answers(texts), TASK.targets(rows()))

    def test_a_text_that_no_model_wrote_has_no_score(self) -> None:
        assert read_record(record_of("été"), 2) == Written("été", None, False, 2)

    def test_outcomes_keep_texts_and_what_was_cut(self) -> None:
        found = self.outcomes(["a", "b", "c", "d"])
        assert found.column_names == ["row_id", "label", "prediction", "score", "stopped", "source_cut"]
        assert found["source_cut"].to_pylist() == [0, 1, 2, 3]
        assert found["stopped"].to_pylist() == [False, True, False, False]

    def test_scores_are_sacrebleu_s_on_labelled_rows(self) -> None:
        said = ["La carte a été débitée.", "Rien ne est arrivé.", "Où est mon colis ?", "x"]
        pairs = [*SENTENCES[:3], ("unlabelled", None)]
        outcomes, settled = self.outcomes(said, rows(pairs)), TASK.targets(rows())
        scores = TASK.score(outcomes, settled)
        wanted = [target for _, target in SENTENCES[:3]]
        assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said[:3], [wanted]).score)
        assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said[:3], [wanted]).score)
        judged = TASK.judged(outcomes, settled, groups=["a", "a", "b", "c"])
        assert len(judged) == 3
        assert judged.groups.tolist() == [0, 0, 1]
        assert set(judged.metrics) == set(scores) == {m.name for m in TASK.metrics if m.kind != "system"}
        for name, value in scores.items():
            assert bound_of(name, judged, 0.95).value == pytest.approx(value)
            assert judged.metrics[name].contributions().mean() == pytest.approx(value)

    def test_bounds_of_corpus_scores_are_those_of_the_bootstrap(self) -> None:
        draw = np.random.default_rng(1)
        words = ["un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"]
        pairs, said = [], []
        for _ in range(300):
            wanted = [words[k] for k in draw.integers(0, 10, 12)]
            kept = [word if draw.random() < 0.7 else "x" for word in wanted]
            pairs.append(("source", " ".join(wanted)))
            said.append(" ".join(kept))
        table = rows(pairs)
        answers = [Written(text, None) for text in said]
        judged = TASK.judged(TASK.outcomes(table, answers, TASK.targets(table)), TASK.targets(table))
        for name in ("bleu", "chrf"):
            metric = judged.metrics[name]
            drawn = [metric.function(metric.sums[draw.integers(0, 300, 300)].sum(axis=0)) for _ in range(400)]
            assert bound_of(name, judged, 0.95).standard_error == pytest.approx(np.std(drawn), rel=0.15)

    def test_what_is_told(self) -> None:
        told = TASK.predictions(self.answers(["a", "b"]), TASK.targets(rows()), top_k=3, proba=True)
        assert told == [{"text": "a", "score": 0.5}, {"text": "b", "score": 0.5}]
        assert TASK.show("été") == "été"
        assert TASK.show(None) == ""

    def test_tables_say_how_scores_were_made_and_what_was_cut(self) -> None:
        tables = {table.name: table for table in TASK.tables(self.outcomes(["a", "", "c", "d"]), TASK.targets(rows()))}
        assert dict(tables["signatures"].rows)["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
        assert [row[1] for row in tables["cut"].rows] == [3, 1, 1]
        chinese = replace(TASK.targets(rows()), options={"target_language": "zh"})
        assert "tok:zh" in dict(TASK.tables(self.outcomes(["a"] * 4), chinese)[0].rows)["bleu"]


def test_untrained_leaves_the_backbone_as_it_is() -> None:
    method = METHODS.get("untrained")
    model = method.prepare(tiny_t5(), method.settings(), TASK)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert method.merge(model) is model
    assert {"seq2seq", "chat"} <= set(method.tasks)
