"""Files in the forms in which known sets are published: what is read from them, and which task `init` sees in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.cli._task_choice import TaskChoice, choose_task
from provetune.core.errors import DataError
from provetune.core.protocols import Detected
from provetune.data.reading import read_table
from provetune.data.table import ROW, RawTable

WORDS = tuple("abcdefghijklmnopqrstuvwxyz")


def sentence(number: int, count: int = 8) -> str:
    """Words that differ from row to row."""
    return " ".join(WORDS[(number * 7 + k) % 26] * 3 + WORDS[(number + k * k) % 26] for k in range(count))


def rows_of(folder: Path, name: str, lines: list[str]) -> RawTable:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_table(str(path))


def choice_of(raw: RawTable) -> tuple[TaskChoice, Detected]:
    choice = choose_task(raw, {}, None)
    return choice, choice.task.detect(raw, {})


CONLL_2003 = ["-DOCSTART- -X- -X- O", "", "EU NNP B-NP B-ORG", "rejects VBZ B-VP O", "", "Peter NNP B-NP B-PER", ""]


@pytest.mark.parametrize("name", ["train.txt", "eng.testa", "weiboNER_2nd_conll.train"])
def test_tags_are_known_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    raw = rows_of(tmp_path, name, CONLL_2003)
    assert raw.format == "conll"
    assert raw.table["tokens"].to_pylist() == ['["EU","rejects"]', '["Peter"]']
    assert raw.table["tags"].to_pylist() == ['["B-ORG","O"]', '["B-PER"]']


def test_tags_without_prefixes_are_known_where_most_are_o(tmp_path: Path) -> None:
    lines = [*["a\tO", "trip\tO", "to\tO", "Rome\tlocation-GPE", ""] * 3]
    assert rows_of(tmp_path, "test.txt", lines).format == "conll"


def test_lines_of_pairs_are_no_tags(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "pairs.txt", ["Hi.\t嗨。", "", "Go.\tO"]).format == "txt"


def test_an_unknown_ending_without_a_known_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The format '\.train' is not known"):
        rows_of(tmp_path, "some.train", ["free text", "and more of it"])


SEMEVAL = [
    '1\t"The <e1>author</e1> of a <e2>book</e2> said ""no""."',
    "Product-Producer(e2,e1)",
    "Comment: easy",
    "",
    '2\t"A <e1>cat</e1> sat on a <e2>mat</e2>."',
    "Other",
    "Comment:",
    "",
]


def test_semeval_relations(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "TRAIN_FILE.TXT", SEMEVAL)
    assert raw.table["id"].to_pylist() == ["1", "2"]
    assert raw.table["text"].to_pylist()[1] == "A <e1>cat</e1> sat on a <e2>mat</e2>."
    assert raw.table["label"].to_pylist() == ["Product-Producer(e2,e1)", "Other"]
    assert raw.table[ROW].to_pylist() == [1, 5]
    assert choice_of(raw)[0].task.name == "relation"


def test_semeval_test_sentences_have_no_relation(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "TEST_FILE.txt", [SEMEVAL[0], SEMEVAL[4]])
    assert raw.table["label"].to_pylist() == [None, None]


def test_semeval_names_the_line_that_is_neither(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: This line is no sentence .* 'what is this'"):
        rows_of(tmp_path, "train.txt", [SEMEVAL[0], "what is this"])


def test_objects_a_line_are_read_from_a_json_file(tmp_path: Path) -> None:
    lines = [json.dumps({"sentence": sentence(k), "label": str(k % 2)}) for k in range(6)]
    raw = rows_of(tmp_path, "train.json", lines)
    assert raw.format == "jsonl"
    assert raw.table["label"].to_pylist() == ["0", "1"] * 3
    with pytest.raises(DataError, match=r"train\.json, line 7: This line is not JSON"):
        rows_of(tmp_path, "train.json", [*lines, '{"sentence": '])


def test_a_broken_document_is_no_file_of_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"This is not JSON: extra data"):
        rows_of(tmp_path, "train.json", ['[{"text": "a"}]', "]"])


def cluener(place: list[int]) -> dict[str, Any]:
    return {
        "text": "浙商银行企业信贷部叶老桂",
        "label": {"name": {"叶老桂": [place]}, "company": {"浙商银行": [[0, 3]]}},
    }


@pytest.mark.parametrize("place", [[9, 11], [9, 12]], ids=["last letter", "behind it"])
def test_spans_by_label_and_surface(tmp_path: Path, place: list[int]) -> None:
    raw = rows_of(tmp_path, "train.json", [json.dumps(cluener(place), ensure_ascii=False)] * 3)
    found = json.loads(raw.table["label"].to_pylist()[0])
    assert [(one["start"], one["end"], one["label"]) for one in found] == [(0, 4, "company"), (9, 12, "name")]
    text = raw.table["text"].to_pylist()[0]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in found)
    assert choice_of(raw)[0].task.name == "tagging"


def test_other_nested_objects_stay_dotted_columns(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "rows.jsonl", ['{"text": "a", "label": {"name": {"x": 1}, "kind": {}}}'])
    assert "label.name.x" in raw.names


def test_a_first_line_that_is_a_row(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "lcqmc.tsv", [f"{sentence(k)}\t{sentence(k + 40)}\t{k % 2}" for k in range(30)])
    assert raw.names == ["column_1", "column_2", "column_3"]
    assert not raw.header
    assert raw.rows == 30
    assert raw.table[ROW].to_pylist()[:2] == [1, 2]
    choice, detected = choice_of(raw)
    assert choice.task.name == "pair"
    assert detected.columns == {"text": ["column_1", "column_2"], "label": "column_3"}


@pytest.mark.parametrize(
    "header",
    [
        "text,spam",  # a column that is called like one of its labels
        "How satisfied are you with our service today?,What could we do better for you next time?",
    ],
)
def test_names_of_columns_are_no_row(tmp_path: Path, header: str) -> None:
    raw = rows_of(tmp_path, "rows.csv", [header, *(f"{sentence(k)},{['spam', 'ham'][k % 2]}" for k in range(20))])
    assert raw.header
    assert raw.rows == 20


@pytest.mark.parametrize(("header", "rows"), [(False, 3), (True, 2)])
def test_what_is_said_of_the_header_counts(tmp_path: Path, header: bool, rows: int) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,1\nb,2\nc,1\n", encoding="utf-8")
    assert read_table(str(path), header=header).rows == rows


def test_a_txt_file_with_names_in_its_first_line(tmp_path: Path) -> None:
    names = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"
    judged = ["NEUTRAL", "ENTAILMENT"]
    rows = [f"{k}\t{sentence(k)}\t{sentence(k + 30)}\t{1 + k % 4}.5\t{judged[k % 2]}" for k in range(30)]
    raw = rows_of(tmp_path, "SICK.txt", [names, *rows])
    assert raw.names == names.split("\t")
    assert choice_of(raw)[0].task.name == "pair"


def test_the_texts_of_sts_are_not_their_sources(tmp_path: Path) -> None:
    names = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"
    genres = ["main-captions", "main-news", "main-forums"]
    rows = [
        f"{k}\t{genres[k % 3]}\tMSRvid\t2012\t{k:04d}\tnone\tnone\t{sentence(k)}\t{sentence(k + 50)}\t{k % 50 / 10:.3f}"
        for k in range(120)
    ]
    choice, detected = choice_of(rows_of(tmp_path, "train.tsv", [names, *rows]))
    assert choice.task.name == "similarity"
    assert detected.columns == {"text": ["sentence1", "sentence2"], "label": "score"}


def test_the_gold_label_is_not_the_genre(tmp_path: Path) -> None:
    gold = ["entailment", "neutral", "contradiction"]
    lines = [
        json.dumps(
            {"genre": ["fiction", "travel"][k % 2], "gold_label": gold[k % 3], "pairID": f"{k}n",
             "sentence1": sentence(k), "sentence2": sentence(k + 60)}
        )
        for k in range(90)
    ]  # fmt: skip
    choice, detected = choice_of(rows_of(tmp_path, "mnli.jsonl", lines))
    assert choice.task.name == "pair"
    assert detected.columns["label"] == "gold_label"


def test_columns_of_zeros_and_ones_are_labels_together(tmp_path: Path) -> None:
    header = "id,comment_text,toxic,obscene,threat,insult"
    rows = [f"{k},{sentence(k)},{k % 2},{k % 3 // 2},{k % 5 // 4},{k % 7 // 6}" for k in range(80)]
    choice, detected = choice_of(rows_of(tmp_path, "toxic.csv", [header, *rows]))
    assert choice.task.name == "classification"
    assert detected.columns == {"text": "comment_text", "label": ["toxic", "obscene", "threat", "insult"]}


def test_one_column_called_label_outweighs_columns_of_flags(tmp_path: Path) -> None:
    header = "text,label,verified,weekend,mobile"
    rows = [f"{sentence(k)},{['good', 'bad'][k % 2]},{k % 2},{k % 3 // 2},{k % 5 // 4}" for k in range(60)]
    assert choice_of(rows_of(tmp_path, "rows.csv", [header, *rows]))[1].columns["label"] == "label"


def test_numbered_strings_are_a_pair(tmp_path: Path) -> None:
    names = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    rows = [f"{k % 2}\t{k}\t{k + 500}\t{sentence(k)}\t{sentence(k + 70)}" for k in range(60)]
    choice, detected = choice_of(rows_of(tmp_path, "mrpc.tsv", [names, *rows]))
    assert choice.task.name == "pair"
    assert detected.columns == {"text": ["#1 String", "#2 String"], "label": "Quality"}


def test_instructions_with_inputs_are_a_chat(tmp_path: Path) -> None:
    rows = [
        {"instruction": sentence(k), "input": sentence(k) if k % 2 else "", "output": sentence(k)} for k in range(9)
    ]
    choice, detected = choice_of(rows_of(tmp_path, "alpaca.json", [json.dumps(rows)]))
    assert choice.task.name == "chat"
    assert detected.columns == {"text": ["instruction", "input"], "label": "output"}


def test_preferred_transcripts_are_conversations(tmp_path: Path) -> None:
    before = "\n\nHuman: Hello there\n\nAssistant: Hi.\n\nHuman: And now?"
    rows = [
        {"chosen": f"{before}\n\nAssistant: {sentence(k)}", "rejected": f"{before}\n\nAssistant: No. {k}"}
        for k in range(4)
    ]
    raw = rows_of(tmp_path, "train.jsonl", [json.dumps(row) for row in rows])
    choice, detected = choice_of(raw)
    assert choice.task.name == "chat"
    assert detected.columns == {"text": "chosen", "rejected": "rejected"}
    from provetune.data.conversations import split_preference

    prompt, better, worse = split_preference(rows[1]["chosen"], rows[1]["rejected"])
    assert [(each["role"], each["content"]) for each in prompt] == [
        ("user", "Hello there"),
        ("assistant", "Hi."),
        ("user", "And now?"),
    ]
    assert (better, worse) == (sentence(1), "No. 1")


@pytest.mark.parametrize("text", ["Human: just a word", "I am Human: yes\n\nAssistant: no", "Assistant: hello"])
def test_other_texts_are_no_transcripts(text: str) -> None:
    from provetune.data.conversations import looks_like_messages, read_messages

    assert not looks_like_messages(text)
    assert read_messages(text) == [{"role": "user", "content": text}]


def test_fasttext_lines(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "train.txt", ["__label__refund where is  my money", "", "__label__card lost it"])
    assert raw.table["text"].to_pylist() == ["where is  my money", "lost it"]
    assert raw.table["label"].to_pylist() == ["refund", "card"]
    assert raw.table[ROW].to_pylist() == [1, 3]
    several = rows_of(tmp_path, "several.txt", ["__label__a __label__b x", "__label__a y"])
    assert several.table["label"].to_pylist() == ['["a","b"]', '["a"]']
    with pytest.raises(DataError, match="line 2: This line has labels and no text"):
        rows_of(tmp_path, "bare.txt", ["__label__a x", "__label__b"])


def test_opinions_behind_an_at_sign(tmp_path: Path) -> None:
    opinions = ["neutral", "positive", "negative"]
    raw = rows_of(tmp_path, "Sentences_50Agree.txt", [f"{sentence(k)} .@{opinions[k % 3]}" for k in range(30)])
    assert raw.names == ["text_1", "text_2"]
    assert choice_of(raw)[1].columns == {"text": "text_1", "label": "text_2"}


def test_addresses_are_no_opinions(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "mails.txt", [f"write to me@host{k}.org please" for k in range(30)])
    assert raw.names == ["text"]


def test_sentences_and_translations_between_bars(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "news.de-en.txt", [f"Satz {k} ||| sentence {k}" for k in range(5)])
    assert raw.table["text_2"].to_pylist()[:2] == ["sentence 0", "sentence 1"]


def test_lists_of_names_are_labels(tmp_path: Path) -> None:
    sets = [["a"], ["a", "b"], ["c"]]
    lines = [json.dumps({"text": sentence(k), "about": sets[k % 3]}) for k in range(60)]
    choice, detected = choice_of(rows_of(tmp_path, "rows.jsonl", lines))
    assert choice.task.name == "classification"
    assert detected.columns == {"text": "text", "label": "about"}


def test_instructions_with_contexts_are_a_chat(tmp_path: Path) -> None:
    rows = [
        {"instruction": sentence(k), "context": "", "response": sentence(k + 9), "category": "qa"} for k in range(9)
    ]
    choice, detected = choice_of(rows_of(tmp_path, "dolly.jsonl", [json.dumps(row) for row in rows]))
    assert choice.task.name == "chat"
    assert detected.columns == {"text": ["instruction", "context"], "label": "response"}


def test_numbers_between_commas_are_labels_where_any_row_has_three() -> None:
    from provetune.data.label_separators import find_separator

    assert find_separator(["2,4", "1", "0,2", "3", "0,1,3", "4", "1,2", "0,3", "0,4", "1,3", "2,3"] * 3) == ","
    assert find_separator(["2,4", "1,5", "0,2", "3,1", "0,3"] * 3) is None
    assert find_separator(["1,200", "3,400,500", "2,000", "1,200,300"] * 3) is None


def test_tags_as_numbers_are_refused_with_what_to_do(tmp_path: Path) -> None:
    lines = [json.dumps({"tokens": ["a", "b", str(k)], "ner_tags": [0, 3, 0]}) for k in range(20)]
    raw = rows_of(tmp_path, "train.jsonl", lines)
    choice, detected = choice_of(raw)
    assert choice.task.name == "tagging"
    from provetune.problem.syntax import Columns, Data

    with pytest.raises(DataError, match=r"'ner_tags' holds numbers.*Write the tags' names"):
        choice.task.read(raw, Data(train="train.jsonl"), Columns.model_validate(detected.columns))
