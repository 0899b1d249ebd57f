"""The section on every task in docs/concepts/results.md, from what is stored and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from task_sets import SETS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "results.md"
BEGIN, END = "<!-- tasks -->", "<!-- /tasks -->"
CONFIDENCE = 0.95
MOST_NAMED = 6
FOUND = {
    "sick2014": "with the plain recipe's batches and rate ours has what plain has, with and without its quick ways. In "
    "fp32 the loss falls as it does in bf16; there the checkpoint of the first epoch was kept, one validation row of "
    "500 ahead of the last one's, which cost two points",
    "xquad_en": "one pass over 1,000 rows is too little for a model that has never answered a question; after four it "
    "is far above word overlap",
}

INTRODUCTION = """## Every task

One public set or more for each task, with catalogue weights and default settings. The lines are written by
`python benchmarks/task_results.py`, which goes on where it was interrupted, and the speeds by
`python benchmarks/task_speed.py --save task_speed.json`.

**What is compared.** *Ours* is a study of one run, through the same `provetune.run` that everybody calls.
*Classical* is a baseline without fine-tuning: `words` is TF-IDF with logistic or ridge regression, for texts, pairs and
relations; `overlap` is what the two texts of a pair share, with logistic regression; for tagging `most_frequent_tag`
gives each word the tag it had most often, and `baseline` is features of words with logistic regression; for questions
`baseline` is the stretch of the passage around the question's words, for translation and dialogue the model before
fine-tuning. *Plain* is the recipe of the Hugging Face example for the task, run with `Trainer` as it
comes (`benchmarks/plain_recipes.py`): fp32, batches of 8, the example's learning rate and lengths, the model of the
last step.

**How.** Ours and plain start from the same backbone, learn the same training rows for the same number of epochs (where
a set is cut down, each seed draws its own rows, the same ones for both), and are judged on the same test rows by the
same scorers, which agree with seqeval, scikit-learn, sacrebleu, rouge-score and the scripts of SQuAD and SemEval in
tests. Where a set has no test file of its own with labels, the note below the table says what is judged. Ours keeps a
checkpoint by its validation score and stops early where nothing improves; plain looks at no validation rows. (The
lines were measured while the checkpoint with the best score was kept; now it is the latest that is not clearly worse.)
For tagging, plain is told the test file's tokens, as its recipe is; ours reads the text as it stands. Where a run of
the plain recipe takes a quarter of an hour there is one of it and three of ours: two cores would not get through five
and three of every set in six hours.

**The columns.** *Mean* is over runs that differ in their seed, on the sealed test; its 95 % interval is Student's t
over these runs. *Ours − plain* has Welch's interval for two groups of runs; where one side has a single run, its spread
is taken to be that of the other (Student's pooled interval). Where all of it lies below zero, ours is worse by more
than its interval and the line is marked. *Examples a second* are rows of the file learned in a second
over 200 warm steps of each, in turn in one process; their ratio is that of the medians, beside the ratio asked for.
Plain is timed with the padding of its recipe (to 128 tokens for texts and pairs, to 384 for questions) and scored
without it, since padding changes nothing that is learned."""


def lines_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """A line a set and column: runs, mean, interval, seconds of a run."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, cell in values.items():
        data, who, _ = name.split("/")
        if data in SETS:
            grouped.setdefault((data, who), []).append(cell)
    order = {name: number for number, name in enumerate(SETS)}
    lines = []
    for (data, who), cells in sorted(grouped.items(), key=lambda one: (order[one[0][0]], one[0][1])):
        scores = [float(cell["score"]) for cell in cells]
        lines.append(
            {
                "set": data,
                "task": SETS[data].task,
                "metric": SETS[data].metric,
                "who": who,
                "runs": len(scores),
                "scores": scores,
                "mean": float(np.mean(scores)),
                "interval": interval(scores),
                "seconds": float(np.median([cell["seconds"] for cell in cells])),
            }
        )
    return lines


def interval(scores: list[float]) -> tuple[float, float]:
    """95 % interval of the mean over runs (Student's t); the mean twice for a single run."""
    mean = float(np.mean(scores))
    if len(scores) < 2 or np.ptp(scores) == 0:
        return mean, mean
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1) * np.std(scores, ddof=1) / np.sqrt(len(scores))
    return float(mean - half), float(mean + half)


def difference(left: list[float], right: list[float]) -> tuple[float, float, float] | None:
    """Mean of the left minus that of the right, and its 95 % interval.

    It is Welch's (1947) for two runs or more on both sides. A single run has no spread of its own and is taken to vary
    as the other side does (Student's pooled interval). None where neither side has two runs.
    """
    counts = [len(left), len(right)]
    if min(counts) < 1 or max(counts) < 2:
        return None
    effect = float(np.mean(left) - np.mean(right))
    spreads = [float(np.var(each, ddof=1)) if len(each) > 1 else None for each in (left, right)]
    known = [max(each for each in spreads if each is not None) if each is None else each for each in spreads]
    parts = [spread / count for spread, count in zip(known, counts, strict=True)]
    total = sum(parts)
    if total == 0:
        return effect, effect, effect
    if min(counts) == 1:
        freedom = float(max(counts) - 1)
    else:
        freedom = total**2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(total))
    return effect, effect - half, effect + half


def write_page(values: dict[str, Any], about: dict[str, Any], speed: dict[str, Any], why: dict[str, Any]) -> None:
    """The section between the page's markers; at the page's end where there is none yet."""
    from provetune.core.files import write_text

    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Results on real sets\n"
    kept = kept_section(text)
    section = f"{BEGIN}\n{section_of(values, about, speed, why)}\n{END}"
    write_text(PAGE, text.replace(kept, section) if kept else f"{text.rstrip()}\n\n{section}\n")


def kept_section(text: str) -> str:
    """The section of a page's text, markers included; nothing where it has none."""
    if BEGIN not in text or END not in text:
        return ""
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def section_of(values: dict[str, Any], about: dict[str, Any], speed: dict[str, Any], why: dict[str, Any]) -> str:
    """The section's text."""
    lines = lines_of(values)
    parts = [INTRODUCTION]
    if about:
        parts.append(
            f"Machine: {about['processor']}, {about['cores']} cores, torch {about['torch']}, "
            f"transformers {about['transformers']}."
        )
    parts += ["\n".join(score_table(lines)), "\n".join(speed_table(speed)), "\n".join(notes(lines, speed))]
    parts += ["\n".join(why_table(lines, why))]
    return "\n\n".join(part for part in parts if part)


def score_table(lines: list[dict[str, Any]]) -> list[str]:
    """A line a set: the classical baselines, plain, ours, and how far they are apart."""
    table = [
        "| set | task | metric | classical | plain | ours | runs (ours, plain) | ours − plain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, facts in SETS.items():
        mine = {line["who"]: line for line in lines if line["set"] == name}
        if not mine:
            continue
        digits = 3 if all(abs(line["mean"]) < 10 for line in mine.values()) else 2
        classical = "; ".join(f"{shown} {mine[shown]['mean']:.{digits}f}" for shown in facts.baselines if shown in mine)
        ours, plain = mine.get("ours"), mine.get("plain")
        table.append(
            f"| {name} | {facts.task} | {facts.metric} | {classical or '–'} | {_spread(plain, digits)} "
            f"| {_spread(ours, digits)} | {ours['runs'] if ours else 0}, {plain['runs'] if plain else 0} "
            f"| {_apart(ours, plain, digits)} |"
        )
    return table if len(table) > 2 else []


def speed_table(speed: dict[str, Any]) -> list[str]:
    """A line a set: both rates, their ratio and the ratio asked for."""
    ratios = speed.get("ratios", {})
    table = [
        "| set | ours, examples a second | plain, examples a second | ratio | asked for |",
        "|---|---|---|---|---|",
    ]
    for name in (each for each in SETS if each in ratios):
        rates = [speed["figures"][f"{name}/{who}"]["median"] for who in ("ours", "plain")]
        marked = "" if ratios[name] >= SETS[name].speed else " (missed)"
        table.append(
            f"| {name} | {rates[0]:.1f} | {rates[1]:.1f} | {ratios[name]:.2f}{marked} | {SETS[name].speed:g} |"
        )
    return table if len(table) > 2 else []


def why_table(lines: list[dict[str, Any]], why: dict[str, Any]) -> list[str]:
    """Experiments on low lines: a line each, with what the classical baselines have."""
    if not why:
        return []
    table = [
        "Experiments on low lines (`python benchmarks/task_why.py`): the first run again with one thing changed.",
        "",
        "| set | changed | score | best classical | seconds |",
        "|---|---|---|---|---|",
    ]
    for cell, value in why.items():
        name, changed = cell.split("/")
        classical = [line["mean"] for line in lines if line["set"] == name and line["who"] in SETS[name].baselines]
        best = f"{max(classical):.3f}" if classical else "–"
        table.append(f"| {name} | {changed} | {value['score']:.3f} | {best} | {value['seconds']:.0f} |")
    said = [f"- {name}: {found}." for name, found in FOUND.items() if any(cell.startswith(f"{name}/") for cell in why)]
    return [*table, "", *said]


def notes(lines: list[dict[str, Any]], speed: dict[str, Any]) -> list[str]:
    """What has to be known of single sets, and what has not been measured yet."""
    found = [f"- {name}: {facts.note}." for name, facts in SETS.items() if facts.note]
    have = {(line["set"], line["who"]): line["runs"] for line in lines}
    wanted = {
        (name, who): count
        for name, facts in SETS.items()
        for who, count in {**dict.fromkeys(facts.baselines, 1), "ours": facts.seeds, "plain": facts.plain_seeds}.items()
    }
    missing = [
        f"{name}/{who} ({have.get((name, who), 0)} of {count} runs)"
        for (name, who), count in wanted.items()
        if have.get((name, who), 0) < count
    ]
    missing += [f"the speed on {name}" for name in SETS if name not in speed.get("ratios", {})]
    if missing:
        more = len(missing) - MOST_NAMED
        named = ", ".join(missing[:MOST_NAMED]) + (f" and {more} others" if more > 0 else "")
        found += ["", f"Not measured yet: {named}."]
    return found


def _spread(line: dict[str, Any] | None, digits: int) -> str:
    if line is None:
        return "–"
    low, high = line["interval"]
    mean = f"{line['mean']:.{digits}f}"
    return f"{mean} ({low:.{digits}f} to {high:.{digits}f})" if high > low else mean


def _apart(ours: dict[str, Any] | None, plain: dict[str, Any] | None, digits: int) -> str:
    found = None if ours is None or plain is None else difference(ours["scores"], plain["scores"])
    if found is None:
        return "–"
    effect, low, high = found
    marked = " **worse**" if high < 0 else ""
    return f"{effect:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}){marked}"
