"""Sources and targets to numbers: what is cut and counted, what a batch holds, what multilingual models are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tiny_seq2seq import VOCABULARY, letter_tokenizer, marian_tokenizer, tiny_mbart

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.loading import load_tokenizer
from provetune.tasks import TASKS

TASK = TASKS.get("seq2seq")


def rows(sources: list[str | None], wanted: list[str | None] | None = None, **more: Any) -> pa.Table:
    labels = {} if wanted is None else {"label": pa.array(wanted, pa.string())}
    names = [f"r{k}" for k in range(len(sources))]
    return pa.table({"row_id": names, "text": pa.array(sources, pa.string()), **labels, **more})


def targets(**options: Any) -> Targets:
    usual = {"source_language": "en", "target_language": "fr", "max_target_length": 60}
    return TASK.targets(rows(["a b"], ["c d"]), options={**usual, **options})


def letters(text: str) -> list[int]:
    return [VOCABULARY[letter] for letter in text]


class TestEncode:
    def test_both_sides_are_tokenised_and_the_longer_one_counts(self) -> None:
        table = TASK.encode(rows(["abc", "a"], ["x", "xyz"]), letter_tokenizer(), EncodeSettings(20), targets())
        assert table["input_ids"].to_pylist() == [[*letters("abc"), 1], [*letters("a"), 1]]
        assert table["labels"].to_pylist() == [[*letters("x"), 1], [*letters("xyz"), 1]]
        assert table["length"].to_pylist() == [4, 4]
        assert table["cut"].to_pylist() == [0, 0]

    def test_without_targets_there_are_no_labels_and_sources_give_the_length(self) -> None:
        table = TASK.encode(rows(["abc"]), letter_tokenizer(), EncodeSettings(20), None)
        assert set(table.column_names) == {"row", "input_ids", "cut", "source_cut"}

    def test_both_sides_are_cut_and_what_they_lost_is_counted(self) -> None:
        settled = targets(max_target_length=3)
        table = TASK.encode(rows(["abcdef"], ["vwxyz"]), letter_tokenizer(start=True), EncodeSettings(5), settled)
        assert table["input_ids"].to_pylist() == [[3, *letters("abc"), 1]]
        assert table["labels"].to_pylist() == [[3, *letters("v"), 1]]
        assert table["source_cut"].to_pylist() == [3]
        assert table["cut"].to_pylist() == [3 + 4]

    def test_head_and_tail(self) -> None:
        table = TASK.encode(rows(["abcdefgh"]), letter_tokenizer(), EncodeSettings(5, "head_tail"), None)
        assert table["input_ids"].to_pylist() == [[*letters("a"), *letters("fgh"), 1]]

    def test_a_row_without_target_teaches_nothing(self) -> None:
        table = TASK.encode(rows(["a", "b"], [None, "x"]), letter_tokenizer(), EncodeSettings(8), targets())
        assert table["labels"].to_pylist() == [[-100], [*letters("x"), 1]]

    def test_the_prefix_stands_before_every_source_also_at_prediction(self) -> None:
        settled = targets(prefix="do: ")
        tokenizer = TASK.prepare_tokenizer(letter_tokenizer(), settled)
        wanted = [[*letters("do: a"), 1]]
        assert TASK.encode(rows(["a"], ["b"]), tokenizer, EncodeSettings(9), settled)["input_ids"].to_pylist() == wanted
        assert TASK.encode(rows(["a"]), tokenizer, EncodeSettings(9), None)["input_ids"].to_pylist() == wanted

    def test_the_prefix_is_kept_with_the_tokenizer(self, tmp_path: Path) -> None:
        TASK.prepare_tokenizer(letter_tokenizer(), targets(prefix="do: ")).save_pretrained(tmp_path)
        table = TASK.encode(rows(["a"]), load_tokenizer(tmp_path), EncodeSettings(9), None)
        assert table["input_ids"].to_pylist() == [[*letters("do: a"), 1]]

    def test_marian_reads_each_side_with_its_own_pieces(self, tmp_path: Path) -> None:
        tokenizer = marian_tokenizer(tmp_path)
        text = "nothing arrived"
        table = TASK.encode(rows([text], [text]), tokenizer, EncodeSettings(40), targets())
        assert table["input_ids"].to_pylist() == [tokenizer(text)["input_ids"]]
        assert table["labels"].to_pylist() == [tokenizer(text_target=text)["input_ids"]]
        assert table["input_ids"].to_pylist() != table["labels"].to_pylist()

    def test_both_sides_are_counted_with_their_special_tokens_and_the_prefix(self) -> None:
        tokenizer = TASK.prepare_tokenizer(letter_tokenizer(start=True), targets(prefix="do: "))
        table = rows(["abc", "a"], ["x", "wxyz"])
        assert TASK.count_tokens(table, tokenizer, 99).tolist() == [4 + 3 + 2, 4 + 1 + 2]
        assert TASK.count_target_tokens(table, tokenizer).tolist() == [3, 6]

    def test_a_marian_model_of_several_languages_is_told_the_target_s(self, tmp_path: Path) -> None:
        tokenizer = marian_tokenizer(tmp_path)
        tokenizer.supported_language_codes = [">>deu<<", ">>fra<<"]
        prepared = TASK.prepare_tokenizer(tokenizer, targets(target_language="fr"))
        assert prepared.init_kwargs["source_prefix"] == ">>fra<< "
        wanted = prepared(">>fra<< nothing arrived")["input_ids"]
        for settled in (targets(target_language="fr"), None):
            table = TASK.encode(rows(["nothing arrived"], ["x"]), prepared, EncodeSettings(40), settled)
            assert table["input_ids"].to_pylist() == [wanted]
        with pytest.raises(UsageError, match="does not write the language 'zh'"):
            TASK.prepare_tokenizer(tokenizer, targets(target_language="zh"))

    def test_what_cannot_be_encoded_is_said(self) -> None:
        tokenizer = letter_tokenizer()
        places = {"_file": ["m.csv"] * 2, "_row": [2, 17]}
        with pytest.raises(DataError, match=r"m\.csv, row 17: There is no text"):
            TASK.encode(rows(["a", None], **places), tokenizer, EncodeSettings(8), None)
        with pytest.raises(UsageError, match="max_length 1 leaves no room"):
            TASK.encode(rows(["ab"]), tokenizer, EncodeSettings(1), None)
        with pytest.raises(UsageError, match="long_texts must be head or head_tail"):
            TASK.encode(rows(["ab"]), tokenizer, EncodeSettings(8, "windows"), None)


def test_batches_are_padded_on_either_side() -> None:
    features = [{"input_ids": [5, 6, 1], "labels": [7, 1]}, {"input_ids": [5, 1], "labels": [7, 8, 9, 1]}]
    batch = TASK.collate([{name: np.array(ids) for name, ids in each.items()} for each in features], 0)
    assert batch["input_ids"][:, :3].tolist() == [[5, 6, 1], [5, 1, 0]]
    assert batch["attention_mask"].sum(dim=1).tolist() == [3, 2]
    assert batch["labels"].tolist() == [[7, 1, -100, -100], [7, 8, 9, 1]]


@pytest.fixture(scope="module")
def mbart() -> Any:
    from transformers import MBart50Tokenizer

    return MBart50Tokenizer()


class TestMultilingual:
    def test_each_side_is_marked_with_its_language(self, mbart: Any) -> None:
        settled = targets(source_language="zh", target_language="fr")
        prepared = TASK.prepare_tokenizer(mbart, settled)
        table = TASK.encode(rows(["a"], ["b"]), prepared, EncodeSettings(9), settled)
        source, target = table["input_ids"].to_pylist()[0], table["labels"].to_pylist()[0]
        assert source[0] == mbart.convert_tokens_to_ids("zh_CN")
        assert target[0] == mbart.convert_tokens_to_ids("fr_XX")

    def test_the_model_starts_with_the_target_s_language(self, mbart: Any) -> None:
        settled = targets(target_language="fr_XX", max_target_length=6, beams=2)
        model = TASK.prepare_model(tiny_mbart(len(mbart)).eval(), mbart, settled)
        code = mbart.convert_tokens_to_ids("fr_XX")
        assert model.generation_config.forced_bos_token_id == code
        assert model.generation_config.num_beams == 2
        prepared = TASK.prepare_tokenizer(mbart, settled)
        batch = prepared(["a", "b"], return_tensors="pt", padding=True)
        assert model.generate(**batch)[:, 1].tolist() == [code, code]

    def test_the_languages_are_kept_with_the_tokenizer(self, mbart: Any, tmp_path: Path) -> None:
        TASK.prepare_tokenizer(mbart, targets(source_language="de", target_language="fr")).save_pretrained(tmp_path)
        found = load_tokenizer(tmp_path)
        assert (found.src_lang, found.tgt_lang) == ("de_DE", "fr_XX")

    def test_an_unknown_language_has_to_be_said(self, mbart: Any) -> None:
        with pytest.raises(UsageError, match=r"could not be found out \(options.source_language\)"):
            TASK.prepare_tokenizer(mbart, targets(source_language="und"))
