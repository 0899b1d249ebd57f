"""Documents of a report with everything on them, made by hand: verdicts of each kind, and texts that mean harm."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from finished_study import GOLD, make_study

from provetune.core.protocols import Targets
from provetune.evaluation.outcomes import build_outcomes
from provetune.study.errors_worth_reading import errors_worth_reading
from provetune.study.report import report_document
from provetune.study.report_runs import FinishedRun
from provetune.tasks import TASKS

ONE_WRONG = ["b", *GOLD[1:]]
SAID = {"words": [ONE_WRONG, ["b", "b", *GOLD[2:]]], "full": [list(GOLD), ONE_WRONG]}
TARGETS = Targets("single_label", ("a", "b"), (3, 5))
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "W" * 400,
    "مرحبا\u202eevil",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "{{ 7 * 7 }}{% raw %}",
    "bell\x07null\x00",
    "</title></style><style>*{display:none}</style>",
    "' onload='alert(3)",
    "一" * 300,
)


def make_runs(said: Sequence[Sequence[str]], sure: Sequence[Sequence[float]] | None = None) -> list[FinishedRun]:
    """Runs that predict `said` for rows r0, r1, … of `GOLD`, with the probability `sure` of each answer."""
    runs = []
    for k, answers in enumerate(said):
        shares = [0.8] * len(answers) if sure is None else sure[k]
        pairs = [
            [share, 1 - share] if label == "a" else [1 - share, share]
            for label, share in zip(answers, shares, strict=True)
        ]
        table = build_outcomes([f"r{n}" for n in range(len(answers))], list(GOLD), list(answers), np.array(pairs))
        runs.append(FinishedRun(Path(f"trials/x-{k}"), {"k": k}, table))
    return runs


def make_examples(texts: Sequence[str], **raw: Sequence[str]) -> pa.Table:
    """Rows r0, r1, … with texts, raw columns and where they come from."""
    columns = {f"raw.{name}": list(values) for name, values in raw.items()}
    size = len(texts)
    rows = {"row_id": [f"r{n}" for n in range(size)], "text": list(texts)}
    return pa.table({**rows, "_file": ["a.csv"] * size, "_row": list(range(2, size + 2)), **columns})


def judged_claim(
    claim: str, verdict: str, effect: float, interval: tuple[float, float], **other: Any
) -> dict[str, Any]:
    """A claim as the verdict writes it down."""
    sides = {
        "left": {"name": "full", "mean": 0.94, "seeds": [1.0, 0.875]},
        "right": {"name": "words", "mean": 0.81, "seeds": [0.875, 0.75]},
    }
    return {
        "claim": claim,
        "verdict": verdict,
        "effect": effect,
        "bound": interval[0] + 0.001,
        "interval": list(interval),
        "p": 0.0004,
        "p_holm": 0.0012,
        "estimand": "procedure",
        "needs": None,
        "metric": "accuracy",
        **sides,
        "margin": 0.02,
        "alpha": 0.05,
        "look": 1,
        "notes": [],
        "added_after_look": False,
        "words": "",
        **other,
    }


def full_document(folder: Path) -> dict[str, Any]:
    """A report of the open test with a supported, a refuted, an undecided and an unjudged claim."""
    study = make_study(folder / "studies" / "letters-1a2b3c4d", SAID)
    document = report_document(study, open_test=True)
    document["claims"] = [
        judged_claim("full > words + 0.02", "supported", 0.046, (0.040, 0.052)),
        judged_claim("words >= full - 0.01", "refuted", -0.046, (-0.052, -0.040), p=0.99, p_holm=1.0),
        judged_claim(
            "full >= 0.945",
            "inconclusive",
            0.9447,
            (0.9405, 0.9489),
            right=None,
            needs={"seeds": None, "rows": 48000, "both": [12, 9100]},
            notes=["only 12 rows: the bound is rough"],
            added_after_look=True,
        ),
        judged_claim("full ~ words ± 0.05 [recall:a @ channel=phone]", "inconclusive", 0.046, (0.040, 0.052)),
        {"claim": "full < words [latency_p95_ms]", "verdict": None},
    ]
    document["accept"] += [
        {
            "metric": "latency_p95_ms",
            "required": "<= 3",
            "value": 8.123,
            "bound": None,
            "met": False,
            "notes": ["torch"],
        },
        {"metric": "recall:a", "required": ">= 0.5", "value": 0.49, "bound": 0.41, "met": None, "notes": []},
    ]
    document["candidates"]["words"]["failed"] = [{"k": 7, "message": "loss was not finite"}]
    document["failed_check"] = {"metric": "accuracy", "level": 0.625, "higher_is_better": True}
    texts = [f"text number {number}" for number in range(len(GOLD))]
    runs = {name: make_runs(said) for name, said in SAID.items()}
    document["errors"] = errors_worth_reading(make_examples(texts), runs, TASKS.get("classification"), TARGETS)
    score = {"mean": 0.5, "seeds": [0.5, 0.5]}
    part = {"value": "phone", "rows": 4, "candidates": {"words": score, "full": score}}
    document["slices"] = [{"by": "channel", "kind": "column", "values": [part, {**part, "value": "mail"}]}]
    return document


def hostile_document(folder: Path) -> dict[str, Any]:
    """The same with labels, texts, names of files, notes and messages that would break out of a careless page."""
    document = copy.deepcopy(full_document(folder))
    document["name"] = document["study"] = "".join(HOSTILE)
    document["notes"] = list(HOSTILE)
    document["slices"][0]["by"] = HOSTILE[0]
    document["slices"][0]["values"][0]["value"] = HOSTILE[1]
    document["claims"][0]["notes"] = list(HOSTILE)
    document["candidates"]["words"]["failed"][0]["message"] = HOSTILE[0]
    document["reproduce"]["command"] = f"provetune run {HOSTILE[8]}"
    for report in document["candidates"].values():
        names = [HOSTILE[0], HOSTILE[2]]
        report["confusion"]["labels"] = names
        for line, name in zip(report["labels"], names, strict=True):
            line["label"] = name
        report["most_confused"] = [{"label": HOSTILE[3], "prediction": HOSTILE[1], "count": 3}]
        for curve in report["curves"]:
            curve["stopped"] = HOSTILE[0]
    for lines in (*document["errors"]["mistakes"].values(), document["errors"]["disagreements"]):
        for number, line in enumerate(lines):
            line.update(text=HOSTILE[number % len(HOSTILE)], label=HOSTILE[1], file=HOSTILE[0], prediction=HOSTILE[2])
    return document
