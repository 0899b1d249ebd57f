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


def tacred(number: int, **other: Any) -> dict[str, Any]:
    """A record as TACRED has it; ends are those of the last token."""
    tokens = ["Zagat", "Survey", "was", "founded", "by", "Tim", "and", "Nina", "."]
    places = {"subj_start": 0, "subj_end": 1, "obj_start": 5, "obj_end": 5}
    kinds = {"subj_type": "ORGANIZATION", "obj_type": ["PERSON", "CITY"][number % 2]}
    tags = {"stanford_pos": ["NN"] * 9, "stanford_ner": ["ORGANIZATION", "ORGANIZATION", *["O"] * 7]}
    relation = ["org:founded_by", "no_relation"][number % 2]
    return {"id": f"e{number}", "relation": relation, "token": tokens, **places, **kinds, **tags, **other}


def test_relations_counted_in_tokens(tmp_path: Path) -> None:
    raw = rows_of(tmp_path, "train.json", [json.dumps([tacred(k) for k in range(20)])])
    assert raw.table["text"][0].as_py() == "<e1> Zagat Survey </e1> was founded by <e2> Tim </e2> and Nina ."
    choice, detected = choice_of(raw)
    assert choice.task.name == "relation"
    assert detected.columns == {"text": "text", "label": "relation"}


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ((5, 5, 0, 1), "<e2> Zagat Survey </e2> was founded by <e1> Tim </e1> and Nina ."),
        ((0, 1, 1, 1), "<e1> Zagat <e2> Survey </e2> </e1> was founded by Tim and Nina ."),
        ((0, 0, 0, 1), "<e2> <e1> Zagat </e1> Survey </e2> was founded by Tim and Nina ."),
        ((4, 4, 5, 5), "Zagat Survey was founded <e1> by </e1> <e2> Tim </e2> and Nina ."),
    ],
)
def test_entities_anywhere_among_the_tokens(tmp_path: Path, places: tuple[int, ...], text: str) -> None:
    from provetune.problem.syntax import Columns, Data
    from provetune.tasks import TASKS

    names = ("subj_start", "subj_end", "obj_start", "obj_end")
    moved = dict(zip(names, places, strict=True))
    far = {**moved, "obj_end": 99}
    raw = rows_of(tmp_path, "rows.jsonl", [json.dumps(tacred(k, **(moved if k < 9 else far))) for k in range(10)])
    columns = Columns(text="text", label="relation")
    parts = TASKS.get("relation").read(raw, Data(), columns)
    assert parts.columns["text"][0].as_py() == text
    assert [(bad.row, bad.field) for bad in parts.bad] == [(9, "text")]


@pytest.mark.parametrize("whole", [True, False])
def test_opennre_relations_in_lines_called_txt(tmp_path: Path, whole: bool) -> None:
    words = (
        {"text": "Ada Byron wrote the notes ."} if whole else {"token": ["Ada", "Byron", "wrote", "the", "notes", "."]}
    )
    places = ([0, 9], [20, 25]) if whole else ([0, 2], [4, 5])
    sides = {side: {"name": side, "id": "Q1", "pos": place} for side, place in zip("ht", places, strict=True)}
    lines = [json.dumps({**words, **sides, "relation": ["P1", "P2"][k % 2]}) for k in range(20)]
    raw = rows_of(tmp_path, "wiki80_train.txt", lines)
    assert raw.format == "jsonl"
    choice, detected = choice_of(raw)
    assert choice.task.name == "relation"
    from provetune.problem.syntax import Columns, Data

    parts = choice.task.read(raw, Data(), Columns.model_validate(detected.columns))
    assert parts.columns["text"][0].as_py() == "<e1> Ada Byron </e1> wrote the <e2> notes </e2> ."


def fewrel(head: list[int], tail: list[int]) -> dict[str, Any]:
    """An example as FewRel has it: each mention as the places of its tokens."""
    tokens = ["Ada", "Byron", "wrote", "the", "notes", ";", "Byron", "rested"]
    return {"tokens": tokens, "h": ["ada byron", "Q7259", [head, [6]]], "t": ["notes", "Q1", [tail]]}


def test_examples_below_their_relation(tmp_path: Path) -> None:
    document = {"P50": [fewrel([0, 1], [4])] * 10, "P800": [fewrel([6], [3, 4])] * 10}
    raw = rows_of(tmp_path, "train_wiki.json", [json.dumps(document)])
    assert raw.table["relation"].to_pylist() == ["P50"] * 10 + ["P800"] * 10
    assert raw.table["text"][0].as_py() == "<e1> Ada Byron </e1> wrote the <e2> notes </e2> ; Byron rested"
    assert raw.table["text"][19].as_py() == "Ada Byron wrote <e2> the notes </e2> ; <e1> Byron </e1> rested"
    choice, detected = choice_of(raw)
    assert choice.task.name == "relation"
    assert detected.columns == {"text": "text", "label": "relation"}


@pytest.mark.parametrize("said", [{"P1": [{"tokens": ["a"]}]}, {"P1": "x"}, {}, {"P1": [3]}])
def test_other_objects_are_no_relations(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="There is no list of rows"):
        rows_of(tmp_path, "some.json", [json.dumps(said)])


def test_texts_with_what_is_said_of_them(tmp_path: Path) -> None:
    pairs = [
        [f"{sentence(k)} Ada", {"entities": [[len(sentence(k)) + 1, len(sentence(k)) + 4, "person"]]}]
        for k in range(20)
    ]
    raw = rows_of(tmp_path, "train_data.json", [json.dumps(pairs)])
    choice, detected = choice_of(raw)
    assert choice.task.name == "tagging"
    from provetune.problem.syntax import Columns, Data

    parts = choice.task.read(raw, Data(), Columns.model_validate(detected.columns))
    start = len(sentence(3)) + 1
    assert parts.columns["text"][3].as_py() == f"{sentence(3)} Ada"
    assert parts.columns["label"][3].as_py() == [{"start": start, "end": start + 3, "label": "person"}]
    assert not parts.bad


def test_pairs_of_which_one_is_none_are_refused(tmp_path: Path) -> None:
    pairs = [["a text", {"entities": []}], ["a text"]]
    with pytest.raises(DataError, match="row 1: This row is a list, not an object"):
        rows_of(tmp_path, "train_data.json", [json.dumps(pairs)])


def test_lines_that_begin_with_a_brace_may_be_texts(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "lines.txt", ["{smiles} hello", "{waves} bye"]).format == "txt"


def studio(number: int, results: list[dict[str, Any]] | None, **other: Any) -> dict[str, Any]:
    annotations = [] if results is None else [{"id": 1, "was_cancelled": False, "result": results}]
    return {"id": number, "data": {"text": f"😀 Ada met Bob, {number}."}, "annotations": annotations, **other}


def span(start: int, end: int, text: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": ["PER"]}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


def test_spans_of_label_studio_counted_in_letters(tmp_path: Path) -> None:
    # The page counts an emoji as two.
    seen = studio(1, [span(3, 6, "Ada"), span(11, 14, "Bob"), {"type": "relation", "from_id": "a"}])
    cancelled = {"was_cancelled": True, "result": [span(3, 6, "Ada")]}
    rows = [seen, studio(2, []), studio(3, None), studio(4, None, annotations=[cancelled])]
    raw = rows_of(tmp_path, "project-1.json", [json.dumps(rows)])
    ada = {"start": 2, "end": 5, "label": "PER", "text": "Ada"}
    bob = {"start": 10, "end": 13, "label": "PER", "text": "Bob"}
    assert [cell and json.loads(cell) for cell in raw.table["label"].to_pylist()] == [[ada, bob], [], None, None]
    choice, detected = choice_of(raw)
    assert choice.task.name == "tagging"
    assert detected.columns == {"text": "text", "label": "label"}


def test_choices_of_label_studio(tmp_path: Path) -> None:
    def chosen(*names: str) -> list[dict[str, Any]]:
        return [{"from_name": "text", "type": "choices", "value": {"choices": list(names)}}]

    rating = {"from_name": "stars", "type": "rating", "value": {"rating": 4}}
    rows = [studio(1, [*chosen("good"), rating]), studio(2, chosen("good", "short")), studio(3, None)]
    raw = rows_of(tmp_path, "export.json", [json.dumps(rows)])
    assert raw.table["annotation.text"].to_pylist() == ["good", '["good","short"]', None]
    assert raw.table["stars"].to_pylist() == ["4", None, None]
    truth = {"ground_truth": True, "result": chosen("bad")}
    both = [studio(1, None, annotations=[{"result": chosen("good")}, truth])]
    assert rows_of(tmp_path, "both.json", [json.dumps(both)]).table["annotation.text"].to_pylist() == ["bad"]


def test_lists_of_right_documents_are_a_row_each(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"query": f"what is {sentence(k)}", "pos": [sentence(k + 1), sentence(k + 2)], "neg": [sentence(k + 5)]}
        )
        for k in range(9)
    ]
    raw = rows_of(tmp_path, "train.jsonl", lines)
    assert raw.rows == 18
    assert raw.table["pos"].to_pylist()[:2] == [sentence(1), sentence(2)]
    assert raw.table[ROW].to_pylist()[:3] == [1, 1, 2]
    choice, detected = choice_of(raw)
    assert choice.task.name == "retrieval"
    assert detected.columns == {"text": "query", "document": "pos", "negative": ["neg"]}


def test_passages_with_titles_are_documents(tmp_path: Path) -> None:
    right = [{"docid": "1", "title": "Ada", "text": "She wrote."}, {"docid": "2", "title": "", "text": "Notes."}]
    record = {"query_id": "7", "query": "who", "positive_passages": right, "negative_passages": [{"text": "No."}]}
    raw = rows_of(tmp_path, "train.jsonl", [json.dumps(record), json.dumps({**record, "positive_passages": []})])
    assert raw.table["positive_passages"].to_pylist() == ["Ada She wrote.", "Notes.", None]
    assert raw.table["negative_passages"].to_pylist() == ['["No."]'] * 3
    odd = json.dumps({"query": "who", "pos": [1, 2]})
    assert rows_of(tmp_path, "odd.jsonl", [odd]).table["pos"].to_pylist() == ["[1,2]"]


def beir(folder: Path, scores: list[int], queries: bool = True) -> Path:
    """A folder as BEIR has them: one judgement a query, in qrels/train.tsv."""
    (folder / "qrels").mkdir()
    documents = [
        {"_id": f"d{k}", "title": ["", f"Title {k}"][k % 2], "text": sentence(k), "metadata": {}} for k in range(26)
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    if queries:
        asked = [{"_id": str(k), "text": f"what is {k}?", "metadata": {}} for k in range(26)]
        (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    lines = ["query-id\tcorpus-id\tscore", *(f"{k}\td{k}\t{score}" for k, score in enumerate(scores))]
    path = folder / "qrels" / "train.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("scores", [[1] * 20, [2, 1, 0, 1] * 5])
def test_judgements_have_the_texts_of_the_files_above(tmp_path: Path, scores: list[int]) -> None:
    raw = read_table(str(beir(tmp_path, scores)))
    assert raw.table["query"].to_pylist()[:2] == ["what is 0?", "what is 1?"]
    assert raw.table["document"].to_pylist()[:2] == [sentence(0), f"Title 1 {sentence(1)}"]
    assert raw.table["relevant"].to_pylist() == [str(min(score, 1)) for score in scores]
    assert f"data.corpus: {tmp_path / 'corpus.jsonl'}" in raw.notes[-1]
    choice, detected = choice_of(raw)
    assert choice.task.name == "retrieval"
    expected = {"text": "query", "document": "document", "relevant": "relevant"}
    assert detected.columns == ({k: v for k, v in expected.items() if k != "relevant"} if 0 not in scores else expected)


def test_a_corpus_has_its_documents_as_the_judgements_have_them(tmp_path: Path) -> None:
    from provetune.problem.syntax import Columns, Data
    from provetune.tasks import TASKS

    raw = read_table(str(beir(tmp_path, [1] * 20)))
    corpus = read_table(str(tmp_path / "corpus.jsonl"))
    found = TASKS.get("retrieval").read_corpus(
        corpus, Data(), Columns.model_validate({"text": "query", "document": "document"})
    )
    assert len(found) == 26
    assert set(raw.table["document"].to_pylist()) <= set(found)


def test_judgements_without_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no queries\.jsonl with their texts.*Put queries\.jsonl and corpus"):
        read_table(str(beir(tmp_path, [1], queries=False)))


def test_judgements_need_numbers(tmp_path: Path) -> None:
    path = beir(tmp_path, [1, 1])
    path.write_text(path.read_text(encoding="utf-8") + "3\td3\tyes\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"row 4: 'yes' in column 'score' is no number"):
        read_table(str(path))


def test_the_language_of_tokens_is_no_tag(tmp_path: Path) -> None:
    lines = [json.dumps({"tokens": [*WORDS[k : k + 3]], "langs": ["en"] * 3, "ner_tags": [0, 1, 2]}) for k in range(20)]
    assert choice_of(rows_of(tmp_path, "train.jsonl", lines))[1].columns == {"text": "tokens", "label": "ner_tags"}


def test_a_long_label_that_comes_back_is_no_query(tmp_path: Path) -> None:
    labels = [
        "Goods that were delivered, but are not what was ordered, or came too late for the purpose named: " + end
        for end in "AB"
    ]
    raw = rows_of(
        tmp_path, "train.jsonl", [json.dumps({"text": sentence(k), "label": labels[k % 2]}) for k in range(60)]
    )
    choice, detected = choice_of(raw)
    assert choice.task.name == "classification"
    assert detected.columns == {"text": "text", "label": "label"}


def test_names_of_numbers_in_parquet_files_of_the_datasets_library(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    tags = ClassLabel(names=["O", "B-PER"])
    features = Features(
        {"tokens": Sequence(Value("string")), "ner_tags": Sequence(tags), "label": ClassLabel(names=["no", "yes"])}
    )
    rows = {"tokens": [["Ada", "sang"]], "ner_tags": [[1, 0]], "label": [1]}
    path = tmp_path / "train.parquet"
    Dataset.from_dict(rows, features=features).to_parquet(str(path))
    raw = read_table(str(path))
    assert raw.table["ner_tags"].to_pylist() == ['["B-PER","O"]']
    assert raw.table["label"].to_pylist() == ["yes"]
    assert "'ner_tags', 'label'" in raw.notes[0]
    # A number that has no name leaves the column as it is.
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "label", pa.array([7])).replace_schema_metadata(table.schema.metadata), path)
    assert read_table(str(path)).table["label"].to_pylist() == ["7"]


@pytest.mark.parametrize("named", ["each", "first"])
def test_a_token_a_row_is_put_together(tmp_path: Path, named: str) -> None:
    words, tags = ["Ada", "met", "Bob", "."], ["B-per", "O", "B-per", "O"]
    lines = [
        f"{f'Sentence: {k}' if named == 'each' or not n else ''},{word},NN,{tag}"
        for k in range(1, 11)
        for n, (word, tag) in enumerate(zip(words, tags, strict=True))
    ]
    raw = rows_of(tmp_path, "ner_dataset.csv", ["Sentence #,Word,POS,Tag", *lines])
    assert raw.rows == 10
    assert json.loads(raw.table["tokens"][9].as_py()) == words
    assert json.loads(raw.table["tags"][9].as_py()) == tags
    assert json.loads(raw.table["POS"][0].as_py()) == ["NN"] * 4
    assert raw.table[ROW].to_pylist()[:3] == [2, 6, 10]
    choice, detected = choice_of(raw)
    assert choice.task.name == "tagging"
    assert detected.columns == {"text": "tokens", "label": "tags"}


def test_sentences_with_a_word_and_a_class_stay_rows(tmp_path: Path) -> None:
    lines = [f"{sentence(k)},{WORDS[k]},{'OB'[k % 2]}" for k in range(20)]
    raw = rows_of(tmp_path, "rows.csv", ["sentence,word,label", *lines])
    assert (raw.rows, raw.names) == (20, ["sentence", "word", "label"])
    tagged = [f"{sentence(k)},{WORDS[k]},{['O', 'B-x'][k % 2]}" for k in range(20)]
    assert rows_of(tmp_path, "tags.csv", ["sentence,word,tag", *tagged]).rows == 20


def test_init_asks_about_a_label_that_says_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from provetune.cli.main import answer

    gold = ["entailment", "neutral", "contradiction", "-"]
    lines = [
        json.dumps({"sentence1": sentence(k), "sentence2": sentence(k + 1), "gold_label": gold[k % 4]})
        for k in range(40)
    ]
    rows_of(tmp_path, "snli.jsonl", lines)
    assert answer(["init", str(tmp_path / "snli.jsonl"), "-o", str(tmp_path / "problem.yaml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["warnings"] == ["10 rows have the label '-': does it say that there is none?"]
