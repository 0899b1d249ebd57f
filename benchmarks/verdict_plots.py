"""The plots of docs/concepts/verdict.md, as SVG that is the same for the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verdict_demands import PER_SIDE, REUSE
from verdict_rules import METRICS, RULE_WORDS, RULES, rates

SHORT = {
    "crossed": "crossed,\nCochran–Cox (ours)",
    "normal_rows": "the same,\nrows normal",
    "satterthwaite": "crossed,\nSatterthwaite",
    "seed_t": "Welch's t\non seeds",
    "rows_only": "rows\nonly",
}
COLOURS = ("#1b6ca8", "#6aa84f", "#c9901a", "#b5485d", "#7a5aa6")
STYLE = {
    "svg.hashsalt": "provetune",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

Cell = Mapping[str, Any]


def draw(grid: Sequence[Cell], cells: Mapping[str, Any], folder: Path) -> None:
    """Every plot, into a folder of pictures."""
    pictures: dict[str, tuple[Callable[..., None], Any]] = {
        "verdict_rates": (_rates, grid),
        "verdict_power": (_power, grid),
        "verdict_real": (_real, cells),
        "verdict_reuse": (_reuse, cells),
    }
    for name, (painter, found) in pictures.items():
        _picture(folder / f"{name}.svg", painter, found)


def _picture(path: Path, painter: Callable[..., None], found: Any) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    from provetune.core.files import atomic_path

    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(7.2, 3.4), layout="constrained")
        painter(axes, found)
        figure.set_figheight(max(3.4, 0.22 * len(axes.get_yticklabels())))
        with atomic_path(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def _rates(axes: Any, grid: Sequence[Cell]) -> None:
    """False support of every cell, a strip for each rule and number of seeds."""
    seeds = sorted({cell["seeds"] for cell in grid})
    width = 0.8 / len(seeds)
    for number, rule in enumerate(RULES):
        for place, k in enumerate(seeds):
            found = [rates(cell["rules"][rule]) for cell in grid if cell["seeds"] == k]
            values = sorted(100 * one[side] for one in found for side in ("above", "below"))
            spread = [number - 0.4 + width * (place + (i + 0.5) / len(values)) for i in range(len(values))]
            label = f"{k} seeds" if number == 0 else None
            axes.plot(spread, values, color=COLOURS[place], label=label, linewidth=2, solid_capstyle="round")
    axes.axhline(100 * PER_SIDE, color="#888888", linewidth=0.8, linestyle="--")
    axes.axhline(5, color="#888888", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_yticks([1, 2, 5, 10, 20, 40], labels=["1 %", "2 %", "5 %", "10 %", "20 %", "40 %"])
    axes.minorticks_off()
    axes.set_xticks(range(len(RULES)), labels=[SHORT[rule] for rule in RULES])
    axes.set_ylabel("false support, per side")
    axes.legend(loc="upper left")


def _power(axes: Any, grid: Sequence[Cell]) -> None:
    """Power at +2 points of accuracy, by rows, for each number of seeds and spread of seeds."""
    seeds = sorted({cell["seeds"] for cell in grid})
    styles = {0.5: "-", 1.0: "--", 1.5: ":"}
    for place, k in enumerate(seeds):
        for sd, style in styles.items():
            wanted = {"metric": "accuracy", "seeds": k, "seed_sd": sd, "effect": 2.0}
            chosen = [cell for cell in grid if all(cell[name] == value for name, value in wanted.items())]
            if chosen:
                rows = [cell["rows"] for cell in chosen]
                values = [100 * rates(cell["rules"]["crossed"])["found"] for cell in chosen]
                axes.plot(rows, values, style, color=COLOURS[place], marker=".", label=f"{k} seeds, SD {sd:g}")
    axes.set_xscale("log")
    rows = sorted({cell["rows"] for cell in grid})
    axes.set_xticks(rows, labels=[f"{n:,}" for n in rows])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.set_xlabel("test rows")
    axes.set_ylabel("found at +2 points, %")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _real(axes: Any, cells: Mapping[str, Any]) -> None:
    """False support on real sets with two Monte-Carlo standard errors, beside the wrong rules."""
    names = sorted(name for name in cells if name.split("/")[0] in ("aa", "pairs"))
    for place, name in enumerate(names):
        cell = cells[name]
        value, error = (100 * cell[part]["crossed"]["false"] for part in ("rates", "errors"))
        label = RULE_WORDS["crossed"] if place == 0 else None
        axes.errorbar(value, place, xerr=2 * error, fmt="o", markersize=4, color=COLOURS[0], label=label)
        for rule, colour, mark in (("seed_t", COLOURS[2], "^"), ("rows_only", COLOURS[3], "s")):
            label = RULE_WORDS[rule] if place == 0 else None
            value = 100 * cell["rates"][rule]["false"]
            axes.plot(value, place, mark, color=colour, markersize=4, label=label, linestyle="none")
    axes.axvline(5, color="#888888", linewidth=0.8)
    axes.set_yticks(range(len(names)), labels=[_real_name(name) for name in names])
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("false support per side, %")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _reuse(axes: Any, cells: Mapping[str, Any]) -> None:
    """Any false support so far, by look, with α spent and without."""
    for place, (name, cell) in enumerate((name, cell) for name, cell in cells.items() if name.startswith("reuse/")):
        looks = range(1, len(cell["halved"]) + 1)
        words = name.partition("/")[2].replace("/", ", ")
        for kind, style in (("unaccounted", "--"), ("halved", "-")):
            values = [100 * count / cell["studies"] for count in cell[kind]]
            axes.plot(looks, values, style, color=COLOURS[place], marker=".", label=f"{words}, {kind}")
    axes.axhline(100 * REUSE, color="#888888", linewidth=0.8)
    axes.set_xlabel("looks at the same test rows")
    axes.set_ylabel("any false support so far, %")
    axes.set_ylim(0)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _real_name(name: str) -> str:
    part, real, metric = name.split("/")
    return f"{'A/A' if part == 'aa' else 'pair'}: {real}, {METRICS[metric]}"
