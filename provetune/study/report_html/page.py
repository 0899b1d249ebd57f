"""The page: the report's document put into one template. What is not in the document is not on the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import write_text
from provetune.study.report_html import numbers, places
from provetune.study.report_html.candidate_details import candidate_details, colour_of, method_words
from provetune.study.report_html.claim_cards import VERDICTS, claim_cards, forests, verdict_of
from provetune.study.report_html.overview import (
    FEW_ROWS,
    is_better_low,
    seed_plot,
    shown_metrics,
    slice_tables,
    spread_text,
    with_trials,
)
from provetune.study.report_html.words import HTML_LANGUAGE, Words

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
_LONG = 40
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write_page(document: Mapping[str, Any], target: Path, language: str = "en") -> Path:
    """Write the page of a report to `target`, atomically; returns it.

    Args:
        document: of `provetune.study.report.report_document`.
        language: ``"en"`` or ``"zh"``.

    Raises:
        UsageError: another language.
    """
    write_text(Path(target), render_page(document, language))
    return Path(target)


def render_page(document: Mapping[str, Any], language: str = "en") -> str:
    """The page as text: HTML, CSS and SVG in one piece.

    The same document gives the same page. Raises as `write_page`.
    """
    words, document = Words(language), clean(document)
    environment = _environment()
    return environment.get_template("page.html.j2").render(
        document=document,
        words=words,
        html_language=HTML_LANGUAGE[language],
        style=_style(),
        claims=claim_cards(document, words),
        counts={verdict: _count(document, verdict) for verdict in VERDICTS},
        forests=forests(document, words),
        metrics=shown_metrics(document),
        seeds=seed_plot(document, words),
        details=candidate_details(document, words),
        slices=slice_tables(document, words),
        named=with_trials(document),
        few_rows=FEW_ROWS,
    )


def _count(document: Mapping[str, Any], verdict: str) -> int:
    return sum(verdict_of(judged) == verdict for judged in document["claims"])


def _environment() -> Environment:
    """Templates beside this file; every value is escaped, and a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(numbers=numbers, places=places, colour_of=colour_of, spread_text=spread_text)
    environment.globals.update(method_words=method_words, is_better_low=is_better_low, is_long=is_long)
    environment.tests["better_low"] = lambda metric, document: is_better_low(document, metric)
    environment.filters["answer"] = answer_text
    return environment


def clean(value: Any) -> Any:
    """A document whose texts hold nothing that HTML or a file cannot: no control characters, no halves of characters.

    Line breaks and tabs stay.
    """
    if isinstance(value, Mapping):
        return {clean(key): clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(inner) for inner in value]
    return _FORBIDDEN.sub("\ufffd", value) if isinstance(value, str) else value


def answer_text(answer: object) -> str:
    """A label, or several of them, as one text."""
    if isinstance(answer, (list, tuple)):
        return ", ".join(map(str, answer)) or numbers.MISSING
    return str(answer) or numbers.MISSING


def is_long(*answers: object) -> bool:
    """Whether answers are too long to stand side by side."""
    return max(len(answer_text(answer)) for answer in answers) > _LONG


def _style() -> Markup:
    """The page's CSS, ours and therefore safe as it is."""
    from markupsafe import Markup

    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
