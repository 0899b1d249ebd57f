"""A problem's history in lines for the terminal: when, what, and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

Line: TypeAlias = "tuple[str, str, str, str | None]"
"""When, what, words and style."""

_SPLITS = ("train", "validation", "test")
_MET = {True: "met", False: "not met", None: "undecided"}
_STYLES = {"supported": "green", "refuted": "red", True: "green", False: "red"}


def history_lines(history: Sequence[Mapping[str, Any]], name_studies: bool) -> Iterator[Line]:
    """One line an event; further claims stand below the first, and free looks in a row are told together.

    Args:
        name_studies: whether lines say which study they belong to.
    """
    for what, group in groupby(history, key=_kind):
        items = list(group)
        if what == "free":
            yield _moment(items[0]), "look", _free_words(items), "dim"
            continue
        for item in items:
            study = f" ({item['study']})" if name_studies and item["study"] else ""
            yield from _TELLERS[item["what"]](item, study)


def _kind(item: Mapping[str, Any]) -> str:
    return "free" if item["what"] == "look" and not item["charged"] else str(item["what"])


def _tell_hypotheses(item: Mapping[str, Any], _: str) -> Iterator[Line]:
    seeds = ", ".join(f"{name} × {len(each)}" for name, each in item["seeds"].items())
    attempt = f", attempt {item['attempt']}" if item["attempt"] > 1 else ""
    splits = [name for name in _SPLITS if name in item["splits"]]
    rows = ", ".join(f"{name} {item['splits'][name]['rows']:,}" for name in splits)
    yield _moment(item), "frozen", f"{item['study']}{attempt}: {item['metric']}, runs {seeds}", "bold"
    hashes = f"test {item['test_hash'][:8]}, data {item['data_hash'][:8]}, code {item['code_hash'][:8]}"
    yield "", "", f"rows {rows}; {hashes}; confidence {item['confidence']:g}", "dim"
    for claim in item["claims"]:
        late = f"  (added after {_times(item['looks_before'])})" if claim in item["added_after_look"] else ""
        yield "", "claim", f"{claim}{late}", "yellow" if late else None
    for metric, level in item["accept"].items():
        yield "", "accept", f"{metric} {level}", None


def _tell_look(item: Mapping[str, Any], study: str) -> Iterator[Line]:
    words = f"look {item['number']}, charged α {item['alpha']:.3g} ({item['alpha_spent']:.3g} spent): {item['purpose']}"
    yield _moment(item), "look", f"{words}{study}", None


def _tell_verdict(item: Mapping[str, Any], study: str) -> Iterator[Line]:
    parts = [f"look {item['look']}"]
    if item["effect"] is not None:
        parts.append(f"effect {item['effect']:+.4f}")
    if item["low"] is not None and item["high"] is not None:
        parts.append(f"from {item['low']:+.4f} to {item['high']:+.4f}")
    if item["p_holm"] is not None:
        parts.append(f"corrected p {item['p_holm']:.3g}")
    words = f"{item['claim']}: {item['verdict']} ({', '.join(parts)}){study}"
    yield _moment(item), "verdict", words, _STYLES.get(item["verdict"])


def _tell_acceptance(item: Mapping[str, Any], study: str) -> Iterator[Line]:
    value = "" if item["value"] is None else f" (test {item['value']:.4g})"
    words = f"{item['metric']} {item['required']}: {_MET[item['met']]}{value}{study}"
    yield _moment(item), "acceptance", words, _STYLES.get(item["met"])


_TELLERS = {
    "hypotheses": _tell_hypotheses,
    "look": _tell_look,
    "verdict": _tell_verdict,
    "acceptance": _tell_acceptance,
}


def _free_words(items: Sequence[Mapping[str, Any]]) -> str:
    if len(items) == 1:
        return f"free: {items[0]['purpose']}"
    return f"{len(items)} free: {items[0]['purpose']} … {items[-1]['purpose']}"


def _times(looks: int) -> str:
    return "1 look" if looks == 1 else f"{looks} looks"


def _moment(item: Mapping[str, Any]) -> str:
    return str(item["at"])[:16].replace("T", " ")
