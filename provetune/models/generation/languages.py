"""Languages of models that know several: which token stands for one, and which ISO code it has.

mBART-50 calls French ``fr_XX``, NLLB ``fra_Latn``, M2M-100 ``fr``. A problem file may say ``fr``, or the model's own
code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

_THREE_LETTERS = {
    short: three
    for short, _, three in (
        pair.partition(":")
        for line in (
            "ar:arb bg:bul bn:ben cs:ces da:dan de:deu el:ell en:eng es:spa et:est fa:pes fi:fin fr:fra he:heb hi:hin",
            "hr:hrv hu:hun id:ind it:ita ja:jpn ko:kor lt:lit lv:lvs ms:zsm nl:nld no:nob pl:pol pt:por ro:ron ru:rus",
            "sk:slk sl:slv sv:swe sw:swh ta:tam te:tel th:tha tr:tur uk:ukr ur:urd vi:vie zh:zho",
        )
        for pair in line.split()
    )
}
_TWO_LETTERS = {three: two for two, three in _THREE_LETTERS.items()} | {"cmn": "zh", "nno": "no"}
# Of the writings that a model has for a language, the one that its short code means.
_PREFERRED: dict[str, tuple[str, ...]] = {"zh": ("zho_Hans", "zh_CN", "zh")}


def iso_code(language: str) -> str:
    """The short code of a language, however it is written: ``"fra_Latn"``, ``"fr_XX"`` and ``"FR"`` are ``"fr"``."""
    first = language.replace("-", "_").split("_")[0].lower()
    return _TWO_LETTERS.get(first, first)


def knows_languages(tokenizer: Any) -> bool:
    """Whether the tokenizer marks texts with their language."""
    return bool(hasattr(tokenizer, "src_lang") and language_codes(tokenizer))


def language_codes(tokenizer: Any) -> list[str]:
    """The model's own codes of the languages it knows; empty for a model that is not told."""
    for name in ("lang_code_to_token", "lang_code_to_id"):  # M2M-100 writes tokens otherwise than codes
        if table := getattr(tokenizer, name, None):
            return list(table)
    special: Iterable[Any] = getattr(tokenizer, "extra_special_tokens", None) or ()
    return [str(token) for token in special if _looks_like_code(str(token))]


def find_language(tokenizer: Any, language: str, where: str) -> str:
    """The model's own code for a language.

    Args:
        language: a short code, or one of the model's own.
        where: the option that says so, for the error.

    Raises:
        UsageError: the model does not know it.
    """
    known = language_codes(tokenizer)
    found = match_language(known, language)
    if found is None:
        raise UsageError(
            f"The model does not know the language '{language}' ({where}).", hint=advice(language, known) or None
        )
    return found


def match_language(known: Sequence[str], language: str) -> str | None:
    """The one of `known` codes that a language means, or None."""
    if language in known:
        return language
    short = iso_code(language)
    preferred = [code for code in (*_PREFERRED.get(short, ()), short) if code in known]
    if preferred:
        return preferred[0]
    alike = [code for code in known if iso_code(code) == short]
    return alike[0] if alike else None


def language_token_id(tokenizer: Any, code: str) -> int:
    """The token that a text in this language starts with."""
    table = getattr(tokenizer, "lang_code_to_token", None)
    return int(tokenizer.convert_tokens_to_ids(table[code] if table else code))


def _looks_like_code(token: str) -> bool:
    parts = token.split("_")
    return (
        len(parts) == 2
        and parts[0].isalpha()
        and parts[0].islower()
        and len(parts[0]) in (2, 3)
        and len(parts[1]) in (2, 4)
    )
