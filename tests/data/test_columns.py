"""Which column is the text and which the label, by name and by content, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from provetune.core.errors import DataError
from provetune.core.protocols import Role
from provetune.data.columns import detect_columns, resolve_columns
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.table import RawTable, TableBuilder
from provetune.problem.syntax import Columns

ROLES = (Role("text", "The text.", many=True), Role("label", "Its label.", many=True))
TEXTS = [f"this is message {number} about parcel {number * 7} and more" for number in range(60)]
CHINESE = [f"第{number}条评论，味道很好，送餐也快，下次还来" for number in range(60)]
LABELS = ["late", "broken", "lost"] * 20
IDS = [str(1000 + number) for number in range(60)]


def raw(**columns: Sequence[object]) -> RawTable:
    builder = TableBuilder("rows.csv")
    builder.add(columns, range(2, 2 + len(next(iter(columns.values())))))
    return builder.finish("csv")


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"text": TEXTS, "label": LABELS}, "text", "label"),
        ({"id": IDS, "customer_message": TEXTS, "intent": LABELS}, "customer_message", "intent"),
        ({"评论": CHINESE, "标签": LABELS}, "评论", "标签"),
        ({"编号": IDS, "用户评论": CHINESE, "情感": ["1", "0"] * 30}, "用户评论", "情感"),
        ({"x": TEXTS, "z": LABELS}, "x", "z"),
        ({"a": IDS, "b": LABELS, "c": TEXTS}, "c", "b"),
        ({"label": LABELS, "gold": LABELS, "text": TEXTS}, "text", "label"),
        ({"category": IDS, "text": TEXTS, "team": LABELS}, "text", "team"),
        ({"title": TEXTS, "body": TEXTS, "class": LABELS}, ["title", "body"], "class"),
        ({"sentence1": TEXTS, "sentence2": TEXTS, "label": LABELS}, ["sentence1", "sentence2"], "label"),
        ({"premise": TEXTS, "hypothesis": TEXTS, "label": LABELS}, ["premise", "hypothesis"], "label"),
        ({"text": TEXTS, "score": [f"{n / 60:.3f}" for n in range(60)], "topic": LABELS}, "text", "topic"),
        ({"text": TEXTS, "date": [f"2026-01-{n % 28 + 1:02d}" for n in range(60)], "tag": LABELS}, "text", "tag"),
        ({"text": TEXTS, "tags": [["x"], ["x", "y"], []] * 20}, "text", "tags"),
    ],
)
def test_detection(columns: dict[str, Sequence[object]], text: str | list[str], label: str) -> None:
    detected = detect_columns(raw(**columns), ROLES)
    assert detected.columns == {"text": text, "label": label}


@pytest.mark.parametrize("name", ["label", "category_id", "intent", "标签"])
@pytest.mark.parametrize("values", [IDS, [f"a3f{n:05x}" for n in range(60)], [f"T-{n}" for n in range(60)]])
def test_an_identifier_is_never_a_label(name: str, values: list[str]) -> None:
    detected = detect_columns(raw(text=TEXTS, **{name: values}), ROLES)
    assert "label" not in detected.columns
    with pytest.raises(DataError, match=r"rows\.csv: .*Name it with data\.columns\.label"):
        resolve_columns(raw(text=TEXTS, **{name: values}), Columns(), LabelledTexts(ROLES))


def test_a_small_file_is_understood_by_names() -> None:
    detected = detect_columns(raw(text=["good", "bad"], label=["p", "n"]), ROLES)
    assert detected.columns == {"text": "text", "label": "label"}
    assert detected.samples == ({"label": "p", "text": "good"}, {"label": "n", "text": "bad"})
    assert "2 different values in 2 rows" in detected.reasons["label"]


SIX = [
    "味道很好，下次还会来",
    "太难吃了，再也不点",
    "送餐很快，服务态度好",
    "等了两个小时才送到",
    "分量足，实惠",
    "菜是凉的",
]


@pytest.mark.parametrize("values", [["好", "差"] * 3, ["好评", "差评", "中评"] * 2, ["1", "0"] * 3], ids=str)
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("评论", "评价"), ("内容", "标签"), ("评价", "星级"), ("评价", "好坏"), ("评价内容", "评分"), ("反馈", "结果"),
        ("留言", "是否投诉"), ("诉求", "归口单位"), ("工单描述", "处理部门"), ("review", "评价"), ("a", "b"),
    ],
)  # fmt: skip
def test_six_chinese_rows_are_understood(text: str, label: str, values: list[str]) -> None:
    detected = detect_columns(raw(**{text: SIX, label: values}), ROLES)
    assert detected.columns == {"text": text, "label": label}


def test_a_name_that_is_both_is_told_apart_by_its_cells() -> None:
    shops = ["app", "网页", "app", "网页", "网页", "app"]
    good = ["好", "差"] * 3
    assert detect_columns(raw(评论=SIX, 渠道=shops, 评价=good), ROLES).columns == {"text": "评论", "label": "评价"}
    assert detect_columns(raw(评价=SIX, 渠道=shops, 标签=good), ROLES).columns == {"text": "评价", "label": "标签"}
    assert detect_columns(raw(review=TEXTS, rating=["1", "2", "3"] * 20), ROLES).columns["text"] == "review"


def test_few_rows_that_say_nothing_have_no_label() -> None:
    assert "label" not in detect_columns(raw(a=SIX, b=SIX), ROLES).columns
    assert "label" not in detect_columns(raw(a=SIX, b=["x"] * 6), ROLES).columns
    assert "label" not in detect_columns(raw(a=SIX, price=["1.5", "2.5"] * 3), ROLES).columns
    assert "label" not in detect_columns(raw(a=SIX[:3], b=["x", "y", "x"]), ROLES).columns


def test_the_first_of_two_like_texts_is_taken() -> None:
    english = [f"number {number} was tasty and quick, we will come back" for number in range(60)]
    for columns in ({"en": english, "zh": CHINESE}, {"zh": CHINESE, "en": english}):
        detected = detect_columns(raw(**columns, topic=LABELS), ROLES)
        first, second = columns
        assert detected.columns["text"] == first
        assert f"Other text columns: {second}." in detected.reasons["text"]


def test_named_columns_win_and_the_rest_is_detected() -> None:
    table = raw(text=TEXTS, other=CHINESE, label=LABELS, topic=["a", "b"] * 30)
    found = resolve_columns(table, Columns(text="other", label="topic"), LabelledTexts(ROLES))
    assert (found.text, found.label) == ("other", "topic")
    assert resolve_columns(table, Columns(label="topic"), LabelledTexts(ROLES)).text == "text"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text="txet"), r"rows\.csv: There is no column 'txet' \(data\.columns\.text\)\. Did you mean 'text'\?"),
        (Columns(label=["label", "nope"]), "no column 'nope'"),
        (Columns(group="customer"), "no column 'customer'"),
        (Columns(text="text", label="text"), "'text' is named for two parts"),
    ],
)
def test_wrongly_named_columns(columns: Columns, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resolve_columns(raw(text=TEXTS, label=LABELS), columns, LabelledTexts(ROLES))
