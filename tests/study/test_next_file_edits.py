"""Edits of a problem file's text: what changes, and that nothing else does."""

from __future__ import annotations

import pytest

from provetune.problem.document import read_document
from provetune.problem.syntax import Problem
from provetune.study.next.file_edits import CannotEdit, add_items, comment_out, put
from provetune.study.next.next_problem import Source, write_problem_text
from provetune.study.next.step import TABLE, Change

TEXT = """\
# my problem
name: letters
data:
  train: letters.csv   # the rows

candidates:
  words: {method: tfidf}    # the baseline
  # an idea for later
  full:
    method: full
    epochs: 3               # enough

claims:
  - full > words     # the question
  - "full >= 0.9"
# the end
"""


def test_a_value_is_replaced_where_it_stands() -> None:
    assert put(TEXT, ("candidates", "full", "epochs"), 6) == TEXT.replace("epochs: 3 ", "epochs: 6 ")


def test_a_key_joins_its_section_as_that_is_written() -> None:
    text = put(put(TEXT, ("candidates", "words", "data"), {"share": 0.5}), ("candidates", "full", "weight_decay"), 0.1)
    assert "  words: {method: tfidf, data: {share: 0.5}}    # the baseline\n" in text
    assert "    epochs: 3               # enough\n    weight_decay: 0.1\n" in text


def test_missing_sections_are_made_at_the_end() -> None:
    text = put(TEXT, ("study", "seeds"), 7)
    assert read_document(text).value["study"] == {"seeds": 7}
    assert text.startswith(TEXT[: TEXT.index("# the end")])


def test_an_entry_becomes_a_comment() -> None:
    text = comment_out(TEXT, ("candidates", "full"))
    assert "  # full:\n  #   method: full\n  #   epochs: 3               # enough\n" in text
    assert list(read_document(text).value["candidates"]) == ["words"]


def test_claims_are_added_and_old_ones_kept_as_comments() -> None:
    text = comment_out(add_items(TEXT, ("claims",), ["full > words + 0.02"]), ("claims", 0))
    assert read_document(text).value["claims"] == ["full >= 0.9", "full > words + 0.02"]
    assert "  # - full > words     # the question\n" in text


@pytest.mark.parametrize("keys", [("name", "x"), ("claims", "x")])
def test_what_is_no_section_is_not_edited(keys: tuple[str, ...]) -> None:
    with pytest.raises(CannotEdit):
        put(TEXT, keys, 1)


def change() -> Change:
    return Change(
        ("full",),
        ("full_clean > full",),
        {"full_clean": ("full", {"data": {"corrections": TABLE}})},
        head=("Look through <table> first.",),
    )


def written(text: str) -> str:
    from pathlib import Path

    problem = Problem.model_validate(read_document(TEXT).value)
    return write_problem_text(Source(Path("/x/problem.yaml"), text, problem), change(), "rows.csv", Path("/x"))


def test_a_whole_step_keeps_the_comments() -> None:
    text = written(TEXT)
    value = read_document(text).value
    assert text.startswith("# Look through rows.csv first.\n# my problem\n")
    assert value["claims"] == ["full_clean > full"]
    assert value["candidates"] == {
        "full": {"method": "full", "epochs": 3},
        "full_clean": {"method": "full", "epochs": 3, "data": {"corrections": "rows.csv"}},
    }
    for comment in ("# the rows", "# an idea for later", "# enough", "# the question", "# the end"):
        assert comment in text


def test_a_layout_that_cannot_be_edited_is_written_anew() -> None:
    candidates = "candidates: {words: {method: tfidf}, full: {method: full, epochs: 3}}"
    flow = f'name: letters\n{candidates}\nclaims: ["full > words"]\n'
    value = read_document(written(flow)).value
    assert list(value["candidates"]) == ["full", "full_clean"]
    assert value["claims"] == ["full_clean > full"]
