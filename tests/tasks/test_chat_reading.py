"""Files of conversations: which columns are found, what rows become, and what is said about a bad one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.core.protocols import RowParts
from provetune.data.quality import find_faults
from provetune.data.reading import read_table
from provetune.data.splits import make_splits
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

CHAT: Any = TASKS.get("chat")
ASKED, TOLD = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}
OTHER = {"role": "assistant", "content": "No idea."}


def write(folder: Path, *rows: dict[str, Any]) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_table(str(path))


def read(raw: Any, mask: list[Any] | None = None, **columns: Any) -> RowParts:
    found = {**CHAT.detect(raw, columns).columns, **columns}
    named = Columns.model_validate(found)
    return CHAT.read(raw, Data(columns=named, mask=mask or []), named)  # type: ignore[no-any-return]


def cells(parts: RowParts, name: str) -> list[Any]:
    found: list[Any] = parts.columns[name].to_pylist()
    return found


@pytest.mark.parametrize(
    ("row", "columns", "fit"),
    [
        ({"id": 1, "messages": [ASKED, TOLD]}, {"text": "messages"}, 0.97),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            {"text": "conversations"},
            0.97,
        ),
        ({"prompt": "a", "completion": "b", "n": 1}, {"text": "prompt", "label": "completion"}, 0.75),
        (
            {"instruction": "a", "input": "c", "output": "b"},
            {"text": ["instruction", "input"], "label": "output"},
            0.95,
        ),
        ({"question": "a", "answer": "b"}, {"text": "question", "label": "answer"}, 0.35),
        (
            {"prompt": "a", "chosen": "b", "rejected": "c"},
            {"text": "prompt", "label": "chosen", "rejected": "rejected"},
            0.96,
        ),
        ({"chosen": [ASKED, TOLD], "rejected": [ASKED, OTHER]}, {"text": "chosen", "rejected": "rejected"}, 0.96),
        ({"system": "s", "messages": [ASKED, TOLD]}, {"text": "messages", "system": "system"}, 0.97),
        ({"prompt": [ASKED], "completion": [TOLD]}, {"text": "prompt", "label": "completion"}, 0.97),
        ({"messages": [ASKED, TOLD], "output": "a"}, {"text": "messages"}, 0.97),
        (
            {
                "conversations": [ASKED],
                "chosen": {"from": "gpt", "value": "a"},
                "rejected": {"from": "gpt", "value": "b"},
            },
            {"text": "conversations", "label": "chosen.value", "rejected": "rejected.value"},
            0.96,
        ),
        ({"dialog": ["a b", "c d"], "act": [1, 2]}, {"text": "dialog"}, 0.97),
        ({"tokens": ["a", "b"], "tags": ["O", "O"]}, {}, 0.0),
        ({"text": "a", "label": "b"}, {}, 0.0),
    ],
)
def test_columns_of_every_kind_of_file(
    row: dict[str, Any], columns: dict[str, Any], fit: float, tmp_path: Path
) -> None:
    found = CHAT.detect(write(tmp_path, row, row), {})
    assert dict(found.columns) == columns
    assert found.fit == fit
    assert all(role in found.reasons for role in columns)


def test_faults_are_counted_by_kind(tmp_path: Path) -> None:
    turns = [[TOLD], [ASKED, ASKED, TOLD], [ASKED, {"role": "assistant", "content": ""}], [ASKED, TOLD]]
    turns += [[{**ASKED, "content": f"Where is {number}?"}, TOLD] for number in range(20)]
    write(tmp_path, *({"messages": each} for each in [*turns[:3] * 3, *turns[3:]]))
    splits = make_splits(Data(train="rows.jsonl"), tmp_path, CHAT)
    (bad,) = (one for one in find_faults(splits) if one.kind == "bad_row")
    assert bad.count == 9
    assert (
        "In all: 6 × messages: Turns are out of order; 3 × messages: Message … (assistant) is empty. Correct"
        in bad.message
    )


def test_what_is_named_is_kept(tmp_path: Path) -> None:
    raw = write(tmp_path, {"dialogue": "a b", "summary": "a", "tone": "dry"})
    found = CHAT.detect(raw, {"text": "dialogue", "label": "summary"})
    assert found.fit == 0.35
    assert "text" not in found.columns


def test_rows_become_a_conversation_and_its_answer(tmp_path: Path) -> None:
    parts = read(write(tmp_path, {"messages": [ASKED, TOLD, ASKED, OTHER]}))
    assert json.loads(cells(parts, "text")[0]) == [ASKED, TOLD, ASKED]
    assert cells(parts, "label") == ["No idea."]
    assert parts.bad == ()


def test_controls_in_an_object(tmp_path: Path) -> None:
    controls = {"tone": "formal", "length": "short"}
    raw = write(tmp_path, {"prompt": "Where?", "completion": "Here.", "controls": controls})
    found = CHAT.detect(raw, {}).columns
    assert found["controls"] == ["controls.tone", "controls.length"]
    wanted = [{"role": "system", "content": "tone: formal; length: short", "lines": "controls"}, ASKED]
    assert json.loads(cells(read(raw), "text")[0]) == wanted
    item = {"prompt": "Where?", "controls": controls}
    assert json.loads(CHAT.read_item(found, item, ["prompt", "controls.tone", "controls.length"], "item 1")) == wanted


def test_a_system_line_that_stands_with_the_answer_is_kept(tmp_path: Path) -> None:
    line = {"role": "system", "content": "Be brief."}
    row = {"prompt": "Where?", "chosen": [line, ASKED, TOLD], "rejected": [line, ASKED, OTHER]}
    parts = read(write(tmp_path, row))
    assert json.loads(cells(parts, "text")[0]) == [line, ASKED]
    assert (cells(parts, "label"), cells(parts, "rejected")) == (["Here."], ["No idea."])


def test_prompts_and_answers_in_messages_of_their_own(tmp_path: Path) -> None:
    parts = read(write(tmp_path, {"prompt": [ASKED], "completion": [TOLD]}))
    assert (json.loads(cells(parts, "text")[0]), cells(parts, "label")) == ([ASKED], ["Here."])


def test_turns_without_speakers_and_lists_that_are_no_conversation(tmp_path: Path) -> None:
    dialogs: list[Any] = [["Where?", "Here."], ["Where?", "Here.", "Where?"], [], ["alone"], ["Where?", " "]]
    parts = read(write(tmp_path, *({"dialog": each} for each in dialogs)), text="dialog")
    assert (json.loads(cells(parts, "text")[0]), cells(parts, "label")) == ([ASKED], ["Here.", *[None] * 4])
    assert [(fault.row, fault.message) for fault in parts.bad] == [
        (1, "The conversation ends with the user: there is no answer to it."),
        (2, "The conversation has no message."),
        (3, "Message 1 must be an object with role and content. Got a text (alone) instead."),
        (4, "Message 2 (assistant) is empty."),
    ]
    # A text that looks like a list is a text.
    parts = read(write(tmp_path, {"prompt": '["a", "b"]', "completion": "c"}))
    assert json.loads(cells(parts, "text")[0]) == [{"role": "user", "content": '["a", "b"]'}]


def test_a_prompt_with_system_line_and_controls(tmp_path: Path) -> None:
    row = {"instruction": "Sum up.", "input": "Long text.", "output": "Short.", "system": "Be brief.", "tone": "dry"}
    parts = read(write(tmp_path, row, {**row, "tone": None, "system": None, "input": ""}), controls=["tone"])
    first, second = (json.loads(text) for text in cells(parts, "text"))
    assert first == [
        {"role": "system", "content": "Be brief.\ntone: dry"},
        {"role": "user", "content": "Sum up.\n\nLong text."},
    ]
    assert second == [{"role": "user", "content": "Sum up."}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Where?", "chosen": "Here.", "rejected": "No idea."},
        {"prompt": [ASKED], "chosen": [TOLD], "rejected": [OTHER]},
        {"prompt": "Where?", "chosen": [ASKED, TOLD], "rejected": [ASKED, OTHER]},
        {"chosen": [ASKED, TOLD], "rejected": [ASKED, OTHER]},
    ],
)
def test_pairs_in_every_form(row: dict[str, Any], tmp_path: Path) -> None:
    parts = read(write(tmp_path, row, row))
    assert json.loads(cells(parts, "text")[0]) == [ASKED]
    assert (cells(parts, "label")[0], cells(parts, "rejected")[0]) == ("Here.", "No idea.")


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ({"messages": [TOLD, ASKED]}, "messages", "message 1 is the assistant's; the user begins"),
        ({"messages": [ASKED]}, "messages", "ends with the user: there is no answer"),
        ({"messages": [ASKED, {"role": "assistant", "content": ""}]}, "messages", "Message 2 (assistant) is empty"),
        ({"messages": [ASKED, {"role": "oracle", "content": "x"}]}, "messages", "unknown role 'oracle'"),
        ({"prompt": [ASKED, TOLD], "completion": "x"}, "prompt", "nothing is left to answer"),
        ({"prompt": "a", "completion": [ASKED]}, "completion", "one message of the assistant"),
        ({"prompt": "a", "chosen": "b", "rejected": "b "}, "rejected", "are the same"),
        ({"chosen": [ASKED, TOLD], "rejected": [{"role": "user", "content": "?"}, OTHER]}, "rejected", "differ before"),
        ({"prompt": "a", "chosen": [ASKED, TOLD], "rejected": "c"}, "chosen", "not the one that it should answer"),
    ],
)
def test_a_bad_row_is_told_with_its_field_and_the_others_are_kept(
    row: dict[str, Any], field: str, said: str, tmp_path: Path
) -> None:
    good = {
        "messages": {"messages": [ASKED, TOLD]},
        "prompt": {"prompt": "a", "completion": "b"},
        "completion": {"prompt": "a", "completion": "b"},
        "chosen": {"prompt": "a", "chosen": "b", "rejected": "c"},
        "rejected": {"prompt": "a", "chosen": "b", "rejected": "c"},
    }[field]
    good = {"chosen": [ASKED, TOLD], "rejected": [ASKED, OTHER]} if "prompt" not in row and "chosen" in row else good
    parts = read(write(tmp_path, good, row, good))
    (bad,) = parts.bad
    assert (bad.row, bad.field) == (1, field)
    assert said in bad.message
    assert cells(parts, "text")[1] is None
    assert cells(parts, "text")[0] == cells(parts, "text")[2] is not None


def test_missing_cells_are_no_fault_of_the_form(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "completion": "b"},
        {"prompt": None, "completion": "b"},
        {"prompt": "a", "completion": None},
    ]
    parts = read(write(tmp_path, *rows))
    assert parts.bad == ()
    assert [text is None for text in cells(parts, "text")] == [False, True, False]
    assert cells(parts, "label") == ["b", None, None]


def test_personal_data_is_masked_in_questions_and_answers(tmp_path: Path) -> None:
    told = [{"role": "user", "content": "I am a@b.org"}, {"role": "assistant", "content": "Noted, a@b.org."}]
    parts = read(write(tmp_path, {"messages": told}), mask=["email"])
    assert parts.masked
    assert json.loads(cells(parts, "text")[0])[0]["content"] == "I am <EMAIL>"
    assert cells(parts, "label") == ["Noted, <EMAIL>."]


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ("Where?", [ASKED]),
        ([ASKED, TOLD, ASKED], [ASKED, TOLD, ASKED]),
        (ASKED, [ASKED]),
        (json.dumps([ASKED]), [ASKED]),
        ({"dialog": "Where?"}, [ASKED]),
        ({"messages": [ASKED]}, [ASKED]),
        ({"dialog": "Where?", "tone": "dry"}, [{"role": "system", "content": "tone: dry", "lines": "controls"}, ASKED]),
    ],
)
def test_whatever_is_asked(item: Any, wanted: list[dict[str, str]]) -> None:
    columns = {"text": "dialog", "controls": ["tone"], "label": "summary"}
    assert json.loads(CHAT.read_item(columns, item, ("dialog", "tone"), "text 1")) == wanted


def test_columns_may_be_called_otherwise_when_asked() -> None:
    columns = {"text": "dialog", "controls": ["tone"]}
    found = CHAT.read_item(columns, {"talk": "Where?", "mood": "dry"}, ("talk", "mood"), "text 1")
    assert json.loads(found) == [{"role": "system", "content": "tone: dry", "lines": "controls"}, ASKED]


def test_what_cannot_be_asked_is_said_with_its_place() -> None:
    with pytest.raises(DataError, match=r"line 3: .*nothing is left to answer"):
        CHAT.read_item({}, [ASKED, TOLD], ("text",), "line 3")
    with pytest.raises(DataError, match=r"line 3: There is no column 'dialog'. There are: other"):
        CHAT.read_item({"text": "dialog"}, {"other": "x"}, ("dialog",), "line 3")
    assert CHAT.read_item({}, "  ", ("text",), "line 3") is None
    assert CHAT.is_item([ASKED, TOLD])
    assert not CHAT.is_item(["Where?"])


def test_faults_of_the_data_as_a_whole() -> None:
    import pyarrow as pa

    asked = [json.dumps([{"role": "user", "content": f"word {k}"}]) for k in range(30)]
    table = pa.table(
        {
            "text": asked,
            "label": ["Word 0 "] + ["the same long answer"] * 29,
            "rejected": ["bad"] * 30,
            "_file": ["rows.jsonl"] * 30,
            "_row": list(range(1, 31)),
        }
    )
    found = {finding.kind: finding for finding in CHAT.check({"train": table})}
    assert set(found) == {"answer_repeats_question", "one_answer_for_most", "preference_by_length"}
    assert found["answer_repeats_question"].rows == ({"file": "rows.jsonl", "row": 1, "split": "train"},)
    assert found["one_answer_for_most"].count == 29
    assert "100% of the pairs the chosen answer is the longer one" in found["preference_by_length"].message
    assert CHAT.check({}) == []
