"""The tables and sentences that end a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

VERDICT_STYLES = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
_ANSWERS = {True: "[green]met[/]", False: "[red]not met[/]", None: "[yellow]undecided[/]"}


def score_table(document: Mapping[str, Any]) -> Table:
    """One line a candidate: mean ± standard deviation over its seeds of the metrics that are read most.

    Args:
        document: of a finished run, or a report. Its best candidate is marked with a star.
    """
    from rich.table import Table

    shown = choose_metrics([entry["metrics"] for entry in document["candidates"].values()], document.get("metric"))
    lower = lower_is_better(document)
    best = (document.get("best") or {}).get("candidate")
    table = Table(box=None, pad_edge=False, header_style="bold")
    if lower & set(shown):
        table.caption, table.caption_justify = "↓ lower is better", "left"
    table.add_column("candidate")
    for metric in shown:
        table.add_column(f"{metric} ↓" if metric in lower else metric, justify="right")
    for title in ("seeds", "seconds"):
        table.add_column(title, justify="right")
    for name, entry in document["candidates"].items():
        cells = [show_spread(entry["metrics"].get(metric)) for metric in shown]
        seeds = max((len(score["seeds"]) for score in entry["metrics"].values()), default=0)
        style = "bold" if name == best else None
        table.add_row(f"{name} *" if name == best else name, *cells, str(seeds), f"{entry['seconds']:.1f}", style=style)
    return table


def choose_metrics(scores: Sequence[Mapping[str, Any]], primary: str | None = None) -> list[str]:
    """The metrics worth a column of those that are there; see `provetune.study.shown_metrics`."""
    from provetune.study import shown_metrics

    return shown_metrics.choose_metrics(list(dict.fromkeys(metric for one in scores for metric in one)), primary)


def lower_is_better(document: Mapping[str, Any]) -> set[str]:
    """Metrics of which less is better, of a report or of a finished run."""
    from provetune.study.shown_metrics import metric_facts
    from provetune.tasks import TASKS

    facts = document.get("metrics") or metric_facts(TASKS.get(document["task"]))
    return {name for name, one in facts.items() if not one["higher_is_better"]}


def show_spread(score: Mapping[str, Any] | None) -> str:
    """``0.921 ± 0.004``; the deviation only where there are two seeds or more."""
    if score is None or score.get("mean") is None:
        return "–"
    seeds = [value for value in score.get("seeds", []) if value is not None]
    spread = f" ± {show_score(stdev(seeds), score['mean'])}" if len(seeds) > 1 else ""
    return f"{show_score(score['mean'])}{spread}"


def show_score(value: float, beside: float | None = None) -> str:
    """A score in plain text.

    Args:
        beside: the figure that it is to have as many decimals as.
    """
    from provetune.study.document import decimals

    return f"{value:,.{decimals(value if beside is None else beside)}f}"


def accept_lines(accept: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line a level of acceptance, in rich's markup."""
    lines = []
    for level in accept:
        bound = "" if level.get("bound") is None else f", bound {show_score(level['bound'], level['value'])}"
        value = "–" if level.get("value") is None else show_score(level["value"])
        lines.append(f"{level['metric']} {level['required']}: {_ANSWERS[level['met']]} (test {value}{bound})")
    return lines


def claim_lines(claims: Sequence[Any]) -> list[str]:
    """For each claim its text and its verdict with the figures, then its remarks on lines of their own, each once."""
    lines = []
    said: set[str] = set()
    for claim in claims:
        if not isinstance(claim, Mapping):
            lines.append(str(claim))
            continue
        verdict = claim.get("verdict")
        parts = [f"{claim.get('claim')}: {verdict or 'not judged yet'}{_claim_figures(claim)}"]
        if verdict is not None and claim.get("interval", [None])[0] is None:
            parts.append(claim.get("words", ""))
        remarks = claim_remarks(claim)
        parts += [remark for remark in remarks if remark not in said]
        said.update(remarks)
        lines.append("\n    ".join(parts))
    return lines


def claim_remarks(claim: Mapping[str, Any]) -> list[str]:
    """What to know before a verdict is trusted, and what would settle an open one."""
    needs = claim.get("needs") or {}
    return [*claim.get("notes", ()), *([needs["note"]] if needs.get("note") else [])]


def corrected_p(claim: Mapping[str, Any]) -> float | None:
    """The corrected p-value of what was found: of the mirrored claim where this one was refuted."""
    return claim.get("p_refuted_holm" if claim.get("verdict") == "refuted" else "p_holm")


def show_p(p: float) -> str:
    """A p-value as it is read."""
    return "under 0.0001" if p < 0.0001 else f"{p:.4f}"


def _claim_figures(claim: Mapping[str, Any]) -> str:
    """Effect, interval and corrected p; nothing of what could not be judged."""
    from provetune.study.claim_words import brief

    parts = []
    if claim.get("effect") is not None:
        compared = claim.get("right") is not None
        parts.append(f"difference {brief(claim['effect'], '+')}" if compared else f"value {brief(claim['effect'])}")
    low, high = claim.get("interval") or (None, None)
    if low is not None and high is not None:
        parts.append(f"interval {brief(low)} to {brief(high)}")
    if (p := corrected_p(claim)) is not None:
        parts.append(f"corrected p {show_p(p)}")
    return f" ({'; '.join(parts)})" if parts else ""
