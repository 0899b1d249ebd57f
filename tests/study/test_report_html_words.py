"""Both languages say everything, with the same places to fill in; numbers are written as they should be."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from provetune.study.report_html import numbers
from provetune.study.report_html.page import TEMPLATES
from provetune.study.report_html.words import WORDS, Words


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_every_word_and_the_same_places() -> None:
    for key, (english, chinese) in WORDS.items():
        assert english.strip(), key
        assert chinese.strip(), key
        assert places(english) == places(chinese), key


def test_chinese_is_chinese() -> None:
    same = {"F1", "Provetune", "{left}", "chrF", "BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L"}
    for key, (_, chinese) in WORDS.items():
        assert chinese in same or re.search("[\u4e00-\u9fff；]", chinese), key


def test_every_word_of_the_page_is_in_the_table_and_used() -> None:
    folder = Path(TEMPLATES).parent
    sources = {path: path.read_text(encoding="utf-8") for path in (*folder.glob("*.py"), *TEMPLATES.glob("*.j2"))}
    asked = {key for text in sources.values() for key in re.findall(r'words\("([^"]+)"', text)}
    assert asked <= set(WORDS)
    everything = " ".join(text for path, text in sources.items() if path.name != "words.py")
    made = ("asked_", "claim_", "bound_", "needs_", "subject_", "metric.", "task.", "estimand.")
    splits = {"train", "validation", "test"}
    unused = [key for key in WORDS if f'"{key}"' not in everything and not key.startswith(made)]
    assert set(unused) <= splits


def test_templates_hold_no_words_of_their_own() -> None:
    allowed = {"Provetune", "provetune"}
    for path in TEMPLATES.glob("*.j2"):
        source = path.read_text(encoding="utf-8")
        markup = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", markup)
        assert set(re.findall(r"[A-Za-z\u4e00-\u9fff]{2,}", text)) <= allowed, path.name


def test_what_the_table_does_not_know_is_shown_as_it_is() -> None:
    words = Words("zh")
    assert (words.metric("macro_f1"), words.metric("f7")) == ("宏平均 F1", "f7")
    assert (words.metric("recall:人名"), words.metric("f7:a")) == ("召回率:人名", "f7:a")
    assert words.known("task", "ranking") == "ranking"


@pytest.mark.parametrize(
    ("value", "score", "signed"),
    [
        (0.9124, "0.912", "+0.912"),
        (-0.0456, "−0.046", "−0.046"),
        (-0.0001, "0.000", "+0.000"),
        (8.123, "8.12", "+8.12"),
        (12345.6, "12,346", "+12,346"),
        (None, "–", "–"),
        (float("nan"), "–", "–"),
    ],
)
def test_scores_and_differences(value: float | None, score: str, signed: str) -> None:
    assert numbers.score(value) == score
    assert numbers.signed(value) == signed


def test_a_deviation_has_the_decimals_of_its_mean() -> None:
    assert numbers.spread(0.9124, 0.00412) == "0.912 ± 0.004"
    assert numbers.spread(31.417, 1.239) == "31.42 ± 1.24"
    assert numbers.spread(51234.5, 1234.5) == "51,234 ± 1,234"
    assert numbers.spread(31.417, None) == "31.42"


def test_cells_of_a_tasks_own_table() -> None:
    cells = [1500, 0.25, -0.00208, 3.14159, None, float("nan"), "a < b", True]
    assert [numbers.cell(cell) for cell in cells] == ["1,500", "0.250", "−0.002", "3.14", "–", "–", "a < b", "True"]
    assert numbers.are_tiny([0.0004, -0.00012])
    assert not numbers.are_tiny([0.0004, 0.2])
    assert not numbers.are_tiny([0.0, "x", 3])
    assert numbers.cell(-0.000123456, tiny=True) == "−0.000123"


def test_other_figures() -> None:
    assert [numbers.probability(p) for p in (0.0004, 0.0012, 1.0, None)] == ["< 0.001", "0.001", "1.000", "–"]
    assert [numbers.seconds(s) for s in (0.04, 99.94, 1234.5, None)] == ["0.0", "99.9", "1,234", "–"]
    assert [numbers.count(n) for n in (1000, 47.25, 3.0)] == ["1,000", "47.2", "3"]
    assert [numbers.level(alpha) for alpha in (0.05, 0.025, 0.0125)] == ["95%", "97.5%", "98.75%"]


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("Spans by label", "各标签的片段"),
        ("0.1 to 0.55", "0.1 至 0.55"),
        ("texts stopped at 128 tokens", "写到 128 个词元即停的文本"),
        (
            "A row counts as wrong unless its label is right. 'oos' is no answer: such a row is wrong whenever it is "
            "answered. This model answers 97.1% of these rows.",
            "标签正确才不算错。“oos”不是答案：这样的行只要作答就算错。此模型回答其中 97.1% 的行。",
        ),
        (
            "The right relation the wrong way round counts as wrong. 'Other' is left out.",
            "关系正确而方向颠倒算错。不计“Other”。",
        ),
        ("A row counts as wrong unless its label is right. Something new.", "标签正确才不算错。Something new."),
        ("Something new.", "Something new."),
    ],
)
def test_sentences_with_names_and_figures_are_chinese_too(text: str, chinese: str) -> None:
    assert Words("zh").phrase(text) == chinese
    assert Words("en").phrase(text) == text
