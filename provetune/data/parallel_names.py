"""What columns with a source and a target text are commonly called, in English and Chinese."""

from __future__ import annotations

from provetune.data.column_names import name_words


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _languages(text: str) -> dict[str, str]:
    """Names of languages, written "name:code name:code …"; a code alone is its own name."""
    return {name: code or name for name, _, code in (pair.partition(":") for pair in text.split())}


SUMMARY_NAMES = _names("summary summaries highlights abstract tldr headline 摘要 总结 概要 标题")
LONG_TEXT_NAMES = _names(
    "document article dialogue dialog conversation text content body news transcript 正文 全文 原文 对话 内容 文章 新闻"
)
HEADLINE_NAMES = _names("headline 标题")
TITLE_NAMES = _names("title 题目")
"""What a text about anything may have; it sums up what is written to be published."""
TITLED_NAMES = _names("abst abstract article content document news 正文 全文 文章 新闻 内容 摘要")
SIDES = (
    (
        _names("source src sources 源文 原文 源语言"),
        _names("target tgt trg targets translation 译文 目标 目标文 翻译"),
    ),
    (_names("input inputs 输入"), _names("output outputs target 输出 目标")),
)
LANGUAGE_NAMES = {
    **_languages(
        "ar bg cs da de el en es et fa fi fr he hi hu id it ja ko lt lv nl no pl pt ro ru sk sl sv th tr uk vi zh"
    ),
    **_languages("english:en french:fr german:de spanish:es chinese:zh japanese:ja korean:ko russian:ru italian:it"),
    **_languages("portuguese:pt arabic:ar dutch:nl 英文:en 英语:en 中文:zh 汉语:zh 法文:fr 法语:fr 德语:de 德文:de"),
    **_languages("日语:ja 日文:ja 俄语:ru 俄文:ru 西班牙语:es 韩语:ko 韩文:ko"),
}


def whole_name(name: str) -> str:
    """A column's name without spaces and signs, lower case."""
    return "".join(name_words(name))


def last_word(name: str) -> str:
    """What a compound says that the column is: of ``short_summary`` the summary, of ``summary1`` too."""
    words = name_words(name)
    return (words[-1].rstrip("0123456789") or words[-1]) if words else ""
