"""The page holds what the document holds, harms nobody, asks nobody, and every number leads somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from reported_study import full_document, hostile_document

from provetune.core.errors import UsageError
from provetune.study.report_html.page import render_page, write_page


class Page(HTMLParser):
    """What is on a page: elements with their attributes, and the text a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.said))

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.elements if attribute in attrs]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return full_document(tmp_path_factory.mktemp("reported"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("make", [full_document, hostile_document])
def test_every_link_leads_to_a_place_of_the_page(make: Any, language: str, tmp_path: Path) -> None:
    page = Page(render_page(make(tmp_path), language))
    places = page.values("id")
    assert len(places) == len(set(places))
    links = [link for tag, attrs in page.elements if tag == "a" and (link := attrs["href"])]
    assert {unquote(link[1:]) for link in links} <= set(places)
    assert all(link.startswith("#") for link in links)
    assert {f"trial-{name}-{k}" for name in ("words", "full") for k in (0, 1)} <= set(places)
    assert page.open == []


@pytest.mark.parametrize("make", [full_document, hostile_document])
def test_the_page_asks_nobody_and_runs_nothing(make: Any, tmp_path: Path) -> None:
    text = render_page(make(tmp_path))
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert [attrs["href"] for tag, attrs in page.elements if tag == "link"] == ["data:,"]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "src"]
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "url(" not in text
    assert "@import" not in text


def test_hostile_texts_are_read_as_they_are(tmp_path: Path) -> None:
    page = Page(render_page(hostile_document(tmp_path)))
    for shown in (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(2)>',
        "{{ 7 * 7 }}{% raw %}",
        "👩‍👩‍👧‍👦",
        "W" * 400,
    ):
        assert shown in page.words
    assert "bell\ufffdnull\ufffd" in page.words
    assert not set(page.words) & {chr(code) for code in range(32)}
    assert sum(tag == "style" for tag, _ in page.elements) == 1


def test_each_verdict_is_said_in_words_with_its_figures(document: dict[str, Any]) -> None:
    said = Page(render_page(document)).words
    assert "1 supported, 1 refuted, 2 inconclusive." in said
    assert (
        "It holds: full minus words is +0.046 in accuracy, and at 95% confidence at least +0.041. "
        "The claim asks for more than +0.020." in said
    )
    assert (
        "It does not hold: words minus full is −0.046 in accuracy, with a 95% interval from −0.052 to −0.040. "
        "The claim asks for at least −0.010." in said
    )
    assert "That does not settle whether it is at least 0.945." in said
    assert "To settle it: 48,000 test rows with these seeds; or 12 seeds and 9,100 test rows together." in said
    assert "That does not settle whether it is between −0.050 and +0.050." in said
    assert "Added after the test had been looked at" in said
    for figure in ("< 0.001", "0.001", "0.990", "1.000", "met", "not met", "undecided", "8.12", "loss was not finite"):
        assert figure in said


def test_chinese_has_no_english_sentence_of_ours(document: dict[str, Any]) -> None:
    text = render_page(document, "zh")
    said = Page(text).words
    assert '<html lang="zh-Hans">' in text
    assert "成立：full 减 words 在准确率上为 +0.046，在 95% 置信水平下至少为 +0.041。命题要求大于 +0.020。" in said
    assert "要定论，需要：种子不变，48,000 行测试数据；或 12 个种子加 9,100 行测试数据。" in said
    for english in ("supported", "Shown:", "Scores", "seeds", "accuracy:", "Reliability", "mistakes"):
        assert english not in said


def test_numbers_lead_to_the_trials_they_come_from(document: dict[str, Any]) -> None:
    text = render_page(document)
    # The claim's seeds, the dots and a run's loss curve all lead to the run itself.
    assert '<a class="n" href="#trial-full-1">0.875</a>' in text
    assert re.search(r'<a href="#trial-words-1"><title>words, seed 1: 0.750</title><circle', text)
    assert re.search(r'<a href="#trial-full-0"><title>full, seed 0: 0.500</title><polyline', text)
    row = re.search(r'<tr id="trial-full-1">.*?</tr>', text, re.DOTALL)
    assert row is not None
    for figure in ("0.875", "1.5", "<code>8</code>", "<code>trials/full-1</code>"):
        assert figure in row.group()


def test_the_split_that_is_shown_is_said(document: dict[str, Any]) -> None:
    assert "Shown: scores on the sealed test" in Page(render_page(document)).words
    sealed = {
        **document,
        "split": "validation",
        "shows_test": False,
        "claims": [{"claim": "full > words", "verdict": None}],
    }
    said = Page(render_page(sealed)).words
    assert "Shown: scores on the validation rows." in said
    told = {"effect": 0.05, "interval": [0.03, 0.07], "metric": "accuracy", "left": None, "right": None}
    preview = {**sealed, "claims": [{"claim": "full > words + 0.01", "verdict": None, "validation": told}]}
    sentence = (
        "On the validation rows full minus words is +0.050 in accuracy, with a 95% interval from +0.030 to +0.070."
    )
    assert f"{sentence} The claim asks for more than +0.010." in Page(render_page(preview)).words
    assert "Add --open-test to show verdicts." in said
    running = {**sealed, "test_open": False, "best": None, "accept": []}
    assert "This study has not ended" in Page(render_page(running)).words


def test_many_labels_are_a_map_and_few_are_a_table(document: dict[str, Any]) -> None:
    few = render_page(document)
    assert 'class="matrix"' in few
    assert 'class="heat"' not in few
    names = [f"label{number:02}" for number in range(20)]
    counts = [[10 if row == column else int(column == 0) for column in range(20)] for row in range(20)]
    for report in document["candidates"].values():
        report["confusion"] = {"labels": names, "counts": counts}
    many = render_page(document)
    assert 'class="matrix"' not in many
    assert 'class="heat"' in many
    assert "Map of confusions of 20 labels" in many


def test_several_labels_a_row_are_a_line_each(document: dict[str, Any]) -> None:
    for report in document["candidates"].values():
        report["confusion"] = {"labels": ["a", "b"], "counts": [[[5, 1], [0, 2]], [[1, 2], [3, 2]]]}
    said = Page(render_page(document)).words
    # The label with most mistakes first: right, given wrongly, missed.
    assert re.search(r"given wrongly ?missed ?b ?2 ?2 ?3 ?a ?2 ?1 ?0 ", said)


def test_the_same_document_gives_the_same_page(tmp_path: Path) -> None:
    document = full_document(tmp_path)
    target = write_page(document, tmp_path / "deep" / "report.html", "zh")
    assert target.read_text(encoding="utf-8") == render_page(document, "zh")


def test_half_a_character_is_shown_as_one_that_is_missing(tmp_path: Path) -> None:
    document = {**full_document(tmp_path), "notes": ["half \ud83d"]}
    assert "half \ufffd" in write_page(document, tmp_path / "report.html").read_text(encoding="utf-8")


def test_another_language_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="does not speak 'fr'"):
        render_page(document, "fr")
