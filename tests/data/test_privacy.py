"""Personal data by its form: what is found, and what only looks like it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from provetune.core.errors import UsageError
from provetune.data.privacy import is_chinese_id, mask_column, mask_text, passes_luhn

ALL = ("email", "phone", "id_number", "bank_card")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to a.b+c@mail.example.com, please", "write to <EMAIL>, please"),
        ("邮箱li.lei@example.cn谢谢", "邮箱<EMAIL>谢谢"),
        ("电话13812345678谢谢", "电话<PHONE>谢谢"),
        ("+86 138 1234 5678 or 138-1234-5678", "<PHONE> or <PHONE>"),
        ("座机010-62345678，客服400-123-4567", "座机<PHONE>，客服<PHONE>"),
        ("ring +44 20 7946 0958 or (212) 555-0123", "ring <PHONE> or <PHONE>"),
        ("+49 (0)30 901820 today", "<PHONE> today"),
        ("身份证11010519491231002X。", "身份证<ID_NUMBER>。"),
        ("ssn 123-45-6789", "ssn <ID_NUMBER>"),
        ("card 4111 1111 1111 1111 exp 12/27", "card <BANK_CARD> exp 12/27"),
        ("卡号6222021234567890128吗", "卡号<BANK_CARD>吗"),
        ("卡号6222021234567890127吗", "卡号6222021234567890127吗"),
        ("卡号4111111111111111吗", "卡号<BANK_CARD>吗"),
    ],
)
def test_finds(text: str, masked: str) -> None:
    assert mask_text(text, ALL) == masked


@pytest.mark.parametrize(
    "text",
    [
        "order 20260131 costs 1299.00",
        "11010519491231002Y and 110105194912310021",
        "ssn 000-12-3456, 666-12-3456, 900-12-3456",
        "4111 1111 1111 1112",
        "0000000000000000",
        "@home at 10:30",
        "12345678901234567890123",
        "",
    ],
)
def test_leaves_alone(text: str) -> None:
    assert mask_text(text, ALL) == text


def test_only_the_kinds_asked_for() -> None:
    text = "a@b.com 13812345678"
    assert mask_text(text, ["email"]) == "<EMAIL> 13812345678"
    assert mask_text(text, []) == text
    with pytest.raises(UsageError, match=r"'phones'.*Did you mean 'phone'"):
        mask_text(text, ["phones"])


def test_check_digits() -> None:
    # The example of GB 11643-1999, and the standard Luhn example number 79927398713.
    assert is_chinese_id("11010519491231002X")
    assert not is_chinese_id("110105194912310029")
    assert not is_chinese_id("11010519491331002X")
    assert passes_luhn("79927398713")
    assert [last for last in "0123456789" if passes_luhn("7992739871" + last)] == ["3"]


def test_a_column_equals_its_texts() -> None:
    texts = ["a@b.com", None, "nothing", "电话13812345678", "1 2 3 4 5 6 7 8"]
    column = pa.chunked_array([texts[:2], texts[2:]])
    assert mask_column(column, ALL).to_pylist() == [None if text is None else mask_text(text, ALL) for text in texts]
