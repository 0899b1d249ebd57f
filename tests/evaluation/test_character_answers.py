"""CMRC 2018's exact match and F1: hand-worked cases, and a second writing of the published script's rules with NLTK."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer

from provetune.evaluation.character_answers import (
    bare,
    character_exact_match,
    character_f1,
    longest_run,
    segments,
)
from provetune.evaluation.treebank_words import treebank_words

# The script's list as it stands there; the ellipsis is two characters long, so that no single character equals it.
LIST = ["-", ":", "_", "*", "^", "/", "\\", "~", "`", "+", "=", "，", "。", "：", "？", "！", "“", "”", "；", "’"]
LIST += ["《", "》", "……", "·", "、", "「", "」", "（", "）", "－", "～", "『", "』"]
PIECES = (
    "中",
    "国",
    "队",
    "黑豹队",
    "308",
    "3,08",
    "6½",
    "NFL",
    "nfl",
    "U.S.",
    "it's",
    " ",
    "  ",
    "%",
    "(",
    ")",
    *LIST,
)
WORDS = (
    "a",
    "don't",
    "it's",
    "cannot",
    "gonna",
    "1",
    "3,36",
    "1,000.5",
    " ",
    " ",
    ".",
    ",",
    ";",
    ":",
    "(",
    ")",
    "%",
    "$",
)
MARKS = ("'", '"', "!", "?", "&", "...", "we'll", "'tis", "u.s.", "dr.", "--", "''", "“", "’", "—", "b2", "more'n", "`")


def test_hand_worked_cases() -> None:
    assert segments("2015年，NFL 冠军") == ["2015", "年", "nfl", "冠", "军"]
    assert segments("（25,000 人）") == ["25,000", "人"]
    assert bare(" 《红楼梦》 ") == "红楼梦"
    # 红楼 is the longest run of 红楼梦 (3) and 红楼 (2): precision 2/2, recall 2/3.
    assert character_f1("红楼", ["红楼梦"]) == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    # 甲 and 丙丁 are shared, but the longest run is 丙丁: 2 of 3 and 2 of 4 segments.
    assert character_f1("甲丙丁", ["甲乙丙丁"]) == pytest.approx(2 * 2 / 7)
    assert character_f1("无", ["有"]) == 0.0
    assert character_f1("梦", ["红楼", "红楼梦"]) == pytest.approx(0.5)
    assert character_exact_match("《红楼梦》", ["红楼梦"]) == 1.0
    assert character_exact_match("红楼", ["红楼梦"]) == 0.0


def test_no_answer() -> None:
    assert character_exact_match("", []) == character_f1("", []) == 1.0
    assert character_exact_match("有", []) == character_f1("有", []) == 0.0
    assert character_f1("", ["有"]) == 0.0


answers = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@given(answers, st.lists(answers, min_size=1, max_size=3))
def test_a_second_writing_of_the_script_says_the_same(answer: str, golds: list[str]) -> None:
    assert character_f1(answer, golds) == pytest.approx(max(run_f1(cut(gold), cut(answer)) for gold in golds))
    assert character_exact_match(answer, golds) == float(any(strip(gold) == strip(answer) for gold in golds))


def strip(text: str) -> str:
    return "".join(letter for letter in text.lower().strip() if letter not in LIST)


def cut(text: str) -> list[str]:
    parts = [""]
    for letter in strip(text):
        if "\u4e00" <= letter <= "\u9fa5":
            parts += [letter, ""]
        else:
            parts[-1] += letter
    words = NLTKWordTokenizer()
    return [word for part in parts for word in ([part] if "\u4e00" <= part[:1] <= "\u9fa5" else words.tokenize(part))]


def run_f1(gold: list[str], said: list[str]) -> float:
    run = 0
    for start in range(len(gold)):
        for end in range(start + run + 1, len(gold) + 1):
            wanted = gold[start:end]
            if any(said[k : k + len(wanted)] == wanted for k in range(len(said))):
                run = end - start
    if run == 0:
        return 0.0
    precision, recall = run / len(said), run / len(gold)
    return 2 * precision * recall / (precision + recall)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_longest_run_is_a_longest_common_substring(first: list[str], second: list[str]) -> None:
    joined = "".join(second)
    runs = {"".join(first[start:end]) for start in range(len(first)) for end in range(start, len(first) + 1)} | {""}
    assert longest_run(first, second) == max(len(run) for run in runs if run in joined)


def test_words_are_split_as_nltk_splits_them() -> None:
    draw, reference = random.Random(0), NLTKWordTokenizer()
    for _ in range(3000):
        text = "".join(draw.choice(WORDS + MARKS) for _ in range(draw.randint(1, 9))).strip()
        assert treebank_words(text) == reference.tokenize(text), text
