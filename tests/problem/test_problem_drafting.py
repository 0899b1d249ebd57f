"""A drafted problem file reads back without a fault, whatever columns, labels and files are called."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.problem.drafting import comment, draft_problem, fit_name
from provetune.problem.reading import parse_problem

odd = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["#", "# x", ": ", "a: b", "'", '"', "no", "1", "1e-5", "~", "null", "-", "[a", "{", ", ", "意图", "a\nb", "\x85"]
)


def read(text):
    return parse_problem(text, Path("problem.yaml"))


@given(
    train=odd,
    text=odd | st.lists(odd, min_size=1, max_size=3),
    label=st.none() | odd | st.lists(odd, min_size=2, max_size=3),
    labels=st.dictionaries(odd, st.integers(1, 10**6), max_size=5),
    columns=st.lists(odd, max_size=5),
    group=st.none() | odd,
    out_of_scope=st.none() | odd,
    note=odd,
)
def test_a_draft_reads_back_as_what_was_detected(train, text, label, labels, columns, group, out_of_scope, note):
    draft = draft_problem(
        train=train,
        text=text,
        label=label,
        labels=labels,
        columns=columns,
        group=group,
        out_of_scope=out_of_scope,
        notes=[note],
        rows=12,
        time=None,
        language="zh",
    )
    problem = read(draft).problem

    assert problem.data.train == train
    assert problem.data.columns.text == text
    assert problem.data.columns.label == label
    assert problem.data.split.group == group
    assert problem.data.out_of_scope == out_of_scope
    assert problem.language == "zh"
    assert list(problem.candidates) == ["words", "head", "full", "lora"]
    assert problem.claims == ["full > words + 0.02", "head >= full - 0.01", "lora >= full - 0.01"]
    assert problem.accept == {}


def draft(**options):
    return draft_problem(**{"train": "reviews.csv", "text": "message", "label": "intent"} | options)


def test_a_draft_says_what_was_detected():
    text = draft(
        rows=1234, labels={"b": 2, "a": 10}, columns=["message", "intent", "id"], notes=["UTF-8, separator ','"]
    )

    assert "name: reviews\n" in text
    assert "  train: reviews.csv    # 1,234 rows\n" in text
    assert "  columns:    # in the file: message, intent, id\n" in text
    assert "  # 2 labels and their rows:\n  #   a: 10\n  #   b: 2\n" in text
    assert "  # UTF-8, separator ','\n" in text


def test_many_labels_are_cut():
    text = draft(labels={f"label{number:03}": 1 for number in range(151)})

    assert "#   label029: 1\n  #   … and 121 more\n" in text
    assert "label030" not in text


def test_given_files_need_no_split():
    text = draft(validation="v.csv", test="t.csv")
    problem = read(text).problem

    assert (problem.data.validation, problem.data.test) == ("v.csv", "t.csv")
    assert "split:" not in text


def test_how_the_file_is_read_is_kept():
    data = read(
        draft(encoding="gb18030", delimiter="\t", label_separator="|", time="sent", id_column="id")
    ).problem.data

    assert (data.encoding, data.delimiter, data.label_separator) == ("gb18030", "\t", "|")
    assert (data.columns.time, data.columns.id, data.split.time) == ("sent", "id", "sent")


def test_every_commented_alternative_works_when_the_comment_sign_is_taken_away():
    """Comments that look like a field or an item are fields or items."""
    text = draft()
    alternatives = re.findall(r"^ *# (?=accept:|  [a-z0-9_]+: \"|\w+: \{|mask|out_of_scope|group|time|- )", text, re.M)
    uncommented = re.sub(
        r"^( *)# (?=accept:|  [a-z0-9_]+: \"|\w+: \{|mask|out_of_scope|group|time|test: held|- )",
        r"\1",
        text,
        flags=re.M,
    )
    problem = read(uncommented).problem

    assert len(alternatives) == 12
    assert problem.accept == {"accuracy": ">= 0.90", "macro_f1": ">= 0.85"}
    assert len(problem.candidates) == 7
    assert len(problem.claims) == 5
    assert problem.data.mask == ["email", "phone", "id_number", "bank_card"]
    assert problem.data.test == "held_out.csv"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("reviews.csv", "reviews"),
        ("../data/reviews.tsv.gz", "reviews"),
        (r"C:\data\reviews.xlsx", "reviews"),
        ("hub:owner/sst2", "sst2"),
        ("v1.2.jsonl", "v1.2"),
        ("评论.csv", "评论"),
        ("a:b?.csv", "a-b-"),
        (".csv", "problem"),
        ("...", "problem"),
        ("", "problem"),
        ("folder/", "folder"),
    ],
)
def test_a_name_is_made_fit_for_a_folder(source, name):
    assert fit_name(source) == name


@given(st.text())
def test_any_name_is_made_fit(text):
    assert read(draft(name=text or None)).problem.name == fit_name(text or "reviews.csv")


@given(st.text(max_size=300))
def test_a_comment_is_one_printable_line(text):
    shown = comment(text)

    assert shown.isprintable()
    assert len(shown) <= 101
