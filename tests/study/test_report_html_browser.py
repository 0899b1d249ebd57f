"""The page in a real browser: nothing hangs out at the width of a phone, nothing is asked of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from reported_study import full_document, hostile_document

from provetune.study.report_html.page import write_page

MAKERS = {"full": full_document, "hostile": hostile_document}
# What sticks out of the window although no box around it scrolls.
TOO_WIDE = """() => [...document.querySelectorAll('body *')].filter(one => {
  if (one.closest('.scroll, .text, svg')) return false;
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(one => one.outerHTML.slice(0, 80))"""
# Contrast of text against the page (WCAG 2), for every colour that words are written in.
CONTRAST = """() => {
  const light = colour => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const found = {};
  for (const one of document.querySelectorAll('body, p, a, dt, dd, th, td, .badge, .help, .label, summary')) {
    const ink = light(getComputedStyle(one).color);
    found[getComputedStyle(one).color] = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }
  return found;
}"""


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(360, "light", "en"), (360, "dark", "zh"), (1280, "dark", "en")]
)
def test_the_page_fits_and_asks_nobody(
    browser: Any, name: str, width: int, scheme: str, language: str, tmp_path: Path
) -> None:
    target = write_page(MAKERS[name](tmp_path), tmp_path / "report.html", language)
    asked: list[str] = []
    said: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(target.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(TOO_WIDE) == []
    assert all(contrast >= 4.5 for contrast in page.evaluate(CONTRAST).values())
    assert [url for url in asked if not url.startswith("data:")] == [target.as_uri()]
    assert said == []
    context.close()


def test_every_anchor_resolves_and_a_dot_leads_to_its_trial(browser: Any, tmp_path: Path) -> None:
    target = write_page(full_document(tmp_path), tmp_path / "report.html")
    page = browser.new_page()
    page.goto(target.as_uri())
    links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    wanted = sorted({unquote(link[1:]) for link in links})
    assert page.evaluate("ids => ids.filter(id => !document.getElementById(id))", wanted) == []
    page.locator('a[href="#trial-words-1"] circle').first.click()
    assert page.url.endswith("#trial-words-1")
    assert page.locator("tr:target").inner_text().startswith("1")
    page.close()


def test_what_is_folded_away_is_printed(browser: Any, tmp_path: Path) -> None:
    target = write_page(full_document(tmp_path), tmp_path / "report.html")
    page = browser.new_page(color_scheme="dark")
    page.goto(target.as_uri())
    folded = page.locator("details:not([open]) table").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.bounding_box()["height"] > 20
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within margins, at 96 dots an inch
    edges = "[...document.querySelectorAll('table, svg, p, pre')].map(one => one.getBoundingClientRect().right)"
    assert max(page.evaluate(edges)) <= 718
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
