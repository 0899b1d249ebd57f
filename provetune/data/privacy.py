"""Personal data replaced by placeholders, before a text is shown to any model.

Only what can be told by its form is found: addresses of mail, numbers of phones, identity cards and bank
cards. A Chinese identity number must have the right check digit and a possible birth date, a bank card the
right Luhn digit; so order numbers and prices are left alone. Names and addresses are not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    import pyarrow as pa

PLACEHOLDERS = {
    "email": "<EMAIL>",
    "id_number": "<ID_NUMBER>",
    "bank_card": "<BANK_CARD>",
    "phone": "<PHONE>",
}

# \b is of no use here: in "电话13812345678" there is no boundary between the last letter and the first digit.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z])"
)
_CHINESE_ID = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])", re.ASCII)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])", re.ASCII)
_CARD = re.compile(r"(?<![\d-])[2-69]\d{3}(?:[ -]?\d){9,15}(?![\d-])", re.ASCII)
_PHONES = (
    re.compile(r"(?<![\d+])(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)", re.ASCII),
    re.compile(r"(?<!\d)\(?0(?:10|2\d|[3-9]\d{2})\)?[- ]?[2-8]\d{6,7}(?!\d)", re.ASCII),
    re.compile(r"(?<!\d)400-\d{3}-?\d{4}(?!\d)|(?<!\d)400-\d{4}-\d{3}(?!\d)", re.ASCII),
    re.compile(r"(?<![\d+])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\d)", re.ASCII),
    re.compile(r"(?<![\d(])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-.]\d{4}(?!\d)", re.ASCII),
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def mask_text(text: str, kinds: Sequence[str]) -> str:
    """The text with every find of these kinds replaced by its placeholder.

    Args:
        kinds: any of ``email``, ``phone``, ``id_number``, ``bank_card``.

    Raises:
        UsageError: a kind that does not exist.
    """
    pieces = []
    end = 0
    for kind, start, stop in find_personal(text, kinds):
        pieces += [text[end:start], PLACEHOLDERS[kind]]
        end = stop
    return "".join([*pieces, text[end:]])


def mask_column(texts: pa.ChunkedArray, kinds: Sequence[str]) -> pa.ChunkedArray:
    """`mask_text` over a column. Texts without an @ and with fewer than seven digits are passed by."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_kinds(kinds)
    if not kinds:
        return texts
    masked = []
    for chunk in texts.chunks:
        suspects = pc.fill_null(pc.match_substring_regex(chunk, r"@|(?:[0-9][^0-9]{0,3}){7}"), False)
        replacements = [mask_text(text, kinds) for text in chunk.filter(suspects).to_pylist()]
        masked.append(pc.replace_with_mask(chunk, suspects, pa.array(replacements, pa.string())))
    return pa.chunked_array(masked, pa.string())


def find_personal(text: str, kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Finds as (kind, start, stop), in order and without overlap; of two the stricter kind wins."""
    _check_kinds(kinds)
    taken: list[tuple[str, int, int]] = []
    for kind in PLACEHOLDERS:
        if kind not in kinds:
            continue
        for start, stop in _FINDERS[kind](text):
            if all(stop <= other[1] or start >= other[2] for other in taken):
                taken.append((kind, start, stop))
    return sorted(taken, key=lambda find: find[1])


def is_chinese_id(number: str) -> bool:
    """Whether 18 characters are a citizen identity number: birth date and check digit (GB 11643-1999)."""
    if not _CHINESE_ID.fullmatch(number):
        return False
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if not (1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def passes_luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _find_emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text))


def _find_ids(text: str) -> Iterator[tuple[int, int]]:
    yield from (match.span() for match in _CHINESE_ID.finditer(text) if is_chinese_id(match[0]))
    yield from (match.span() for match in _SSN.finditer(text))


def _find_cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 13 <= len(digits) <= 19 and len(set(digits)) > 1 and passes_luhn(digits) and not is_chinese_id(digits):
            yield match.span()


def _find_phones(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            if 7 <= sum(letter.isdigit() for letter in match[0]) <= 15:
                yield match.span()


_FINDERS = {"email": _find_emails, "id_number": _find_ids, "bank_card": _find_cards, "phone": _find_phones}


def _check_kinds(kinds: Sequence[str]) -> None:
    for kind in kinds:
        if kind not in PLACEHOLDERS:
            raise UsageError(f"There is no kind of personal data '{kind}'.", hint=advice(kind, PLACEHOLDERS))
