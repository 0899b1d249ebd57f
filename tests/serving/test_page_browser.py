"""The page in a real browser: every kind of answer at a phone's width, the policy in force, no other address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from door_app import add_key, door
from page_server import EMOJI_TEXT, LABELS, MODELS, page_app, running

from provetune.ledger.records import file_url
from provetune.serving.access_gates import find_gate


class Opened:
    """A page before a service of which one knows what it was asked."""

    def __init__(self, page: Any, asked: list[dict[str, Any]], fault: dict[str, Any], said: list[str]) -> None:
        self.page, self.asked, self.fault, self.said = page, asked, fault, said

    def ask(self, model: str, text: str | None = None) -> str:
        self.page.select_option("#model", model)
        self.page.click("#example")
        if text is not None:
            self.page.fill("#field-0", text)
        self.page.click("#ask")
        self.page.wait_for_selector("#ask:not([disabled])")
        return str(self.page.inner_text("#shown"))


def opened(browser: Any, url: str, asked: Any, fault: Any, said: list[str], **context: Any) -> Opened:
    page = browser.new_context(**context).new_page()
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith((url, "data:")) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("console", lambda message: said.append(message.text) if "favicon" not in message.text else None)
    page.goto(url)
    page.wait_for_selector("#form:not([hidden])")
    return Opened(page, asked, fault, said)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, list[dict[str, Any]], dict[str, Any]]]:
    asked: list[dict[str, Any]] = []
    fault: dict[str, Any] = {}
    with running(page_app(asked, fault), door(None, find_gate=find_gate)) as url:
        yield url, asked, fault


@pytest.fixture
def english(browser: Any, served: Any) -> Iterator[Opened]:
    page = opened(browser, *served, [], viewport={"width": 360, "height": 780}, locale="en-GB")
    yield page
    assert page.said == []
    page.page.context.close()


def test_each_kind_of_answer_is_shown_and_fits_a_phone(english: Opened) -> None:
    told = {}
    for name in MODELS:
        told[name] = english.ask(name)
        assert english.page.evaluate("document.documentElement.scrollWidth") == 360, name
    assert told["intents"].split()[:3] == ["billing", "billing", "91.4%"]
    assert LABELS[-1] in told["intents"]  # a label is text, whatever it looks like
    assert told["topics"].split() == ["trade", "oil", "oil", "80.0%", "trade", "60.0%"]
    assert told["unsure"].startswith("Not sure enough")
    assert told["stars"] == "-0.7213"
    assert told["questions"].startswith("Ada Byron")
    assert "384 numbers" in told["search"]
    assert "of length 1" in told["search"]
    assert "Call us." in told["shelf"]
    assert told["translate"] == "Rien n'est arrivé."
    widths = "[...document.querySelectorAll('.bar i')].map(one => one.style.width)"
    english.ask("pairs")
    assert english.page.evaluate(widths) == ["80%", "20%"]


def test_spans_stand_where_they_are_after_an_emoji(english: Opened) -> None:
    english.ask("names")
    marks = english.page.evaluate("[...document.querySelectorAll('mark')].map(one => one.firstChild.textContent)")
    assert marks == ["4711", "Anna", "Lyon"]
    letters = "[...document.querySelector('.text').childNodes].map(one => (one.firstChild ?? one).textContent).join('')"
    assert english.page.evaluate(letters) == EMOJI_TEXT


def test_it_asks_with_what_the_bundle_takes(english: Opened) -> None:
    english.ask("questions", "Who was it?")
    context = MODELS["questions"][0]["example"]["context"]
    assert english.asked[-1] == {"model": "questions", "input": {"question": "Who was it?", "context": context}}
    english.ask("intents", 'it\'s <b> & "that"\n好')
    assert english.asked[-1] == {"model": "intents", "input": 'it\'s <b> & "that"\n好', "top_k": 5}
    english.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    command = english.page.inner_text("#command")
    assert "'\\''s" in command  # a shell would read what was typed as what was typed
    assert json.loads(english.page.inner_text("#raw"))["label"] == "billing"


def test_a_conversation_goes_on_and_is_streamed(english: Opened) -> None:
    english.ask("helper")
    english.page.fill("#field-0", "And now?")
    english.page.keyboard.press("Enter")
    english.page.wait_for_selector(".said.assistant:not(.writing) >> nth=1")
    assert english.asked[-1]["stream"] is True
    assert [turn["role"] for turn in english.asked[-1]["input"]] == ["user", "assistant", "user"]
    answer = MODELS["helper"][1]["text"]
    assert english.asked[-1]["input"][1]["content"] == answer
    assert english.page.locator(".said").all_inner_texts()[1::2] == [answer, answer]
    assert english.page.inner_text("#time").startswith("First letters after")
    english.page.click("#clear")
    assert english.page.locator(".said").count() == 0


def test_faults_are_told_in_words(english: Opened) -> None:
    english.page.click("#clear")
    english.page.click("#ask")
    assert english.page.inner_text("#fault") == "Write something first."
    for status, kind, headers, words in (
        (429, "queue_full", {"retry-after": "7"}, "The server is busy; try again in 7 s."),
        (422, "invalid_request", {}, "<b>what is wrong</b>"),
    ):
        body = {"error": {"type": kind, "message": "<b>what is wrong</b>"}}
        english.fault.update(status=status, headers=headers, body=body)
        english.ask("intents")
        assert english.page.inner_text("#fault") == words
    english.said[:] = [line for line in english.said if "status of 4" not in line]
    english.fault.update(status=503, body={"error": {"type": "not_ready", "message": "no"}})
    english.ask("helper", "Lost?")
    assert english.page.input_value("#field-0") == "Lost?"  # what was asked is not lost
    assert english.page.locator(".said").count() == 0
    english.said[:] = [line for line in english.said if "status of 503" not in line]


def test_the_language_is_the_readers_and_can_be_switched(browser: Any, served: Any) -> None:
    page = opened(browser, *served, [], viewport={"width": 1280, "height": 800}, locale="zh-CN", color_scheme="dark")
    assert page.page.inner_text("#ask") == "运行"
    assert page.page.evaluate("document.documentElement.lang") == "zh-Hans"
    page.ask("intents")
    assert "毫秒" in page.page.inner_text("#time")
    page.page.click("#language")
    assert page.page.inner_text("#ask") == "Ask"
    assert page.page.inner_text("#time").startswith("Answered in")
    page.page.reload()
    page.page.wait_for_selector("#form:not([hidden])")
    assert page.page.inner_text("#ask") == "Ask"  # remembered
    words = "[...document.querySelectorAll('button, label, summary, p')].map(one => one.textContent)"
    assert not [word for word in page.page.evaluate(words) if set(word) & set("_{}")]
    assert page.said == []
    page.page.context.close()


def test_with_keys_the_browser_asks_for_one(browser: Any, tmp_path: Path) -> None:
    location = file_url(tmp_path / "ledger.sqlite")
    made = add_key(location)
    asked: list[dict[str, Any]] = []
    with running(page_app(asked, {}), door(location, find_gate=find_gate)) as url:
        with_key = {"username": "anybody", "password": made.text}
        page = opened(browser, url, asked, {}, [], http_credentials=with_key, locale="en-GB")
        assert page.ask("intents").startswith("billing")
        page.page.context.close()
        context = browser.new_context(http_credentials={**with_key, "password": "wrong"})
        answered = context.new_page().goto(url)
        assert answered.status == 401
        context.close()


def test_another_site_cannot_ask(browser: Any, served: Any) -> None:
    url, asked, _ = served
    page = browser.new_page()
    page.route("http://evil.example/**", lambda route: route.fulfill(body="<form></form>", content_type="text/html"))
    page.goto("http://evil.example/")
    before = len(asked)
    send = """async ([address, mode]) => {
      try {
        const body = JSON.stringify({model: 'intents', input: 'x'});
        return (await fetch(address, {method: 'POST', mode, body})).type;
      }
      catch { return 'refused'; }
    }"""
    for mode in ("cors", "no-cors"):
        page.evaluate(send, [f"{url}/v1/predict", mode])
    submit = (
        "address => { const form = document.forms[0]; form.method = 'post'; form.action = address; form.submit(); }"
    )
    page.evaluate(submit, f"{url}/v1/predict")
    page.wait_for_load_state()
    assert len(asked) == before
    page.close()
