"""Problems whose right next step is known: rows, labels, candidates and runs made up, everything else as it comes.

Labels are Gaussian classes. `words` sees some of a row's numbers, `head` sees them all with noise added, both
through the
product's own regression; `full` is a small network that is really trained, so its curves are those of a
learning rate too
low, too high, or of rows learned by heart. Claims are judged by the product on made-up test rows; learning curves and
doubtful labels are found by the product's own probes. Only the world is made up, never a piece of evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from provetune.core.protocols import Targets
from provetune.evaluation.outcomes import judged_rows
from provetune.models.methods import METHODS
from provetune.problem.claims import parse_claim
from provetune.problem.syntax import Candidate
from provetune.statistics.rows import JudgedRows
from provetune.study.claim_figures import CandidateRows
from provetune.study.next.cheap_learner import CheapLearner
from provetune.study.next.evidence import CandidateEvidence, Evidence, RunEvidence
from provetune.study.next.probes import probe_curve, probe_labels
from provetune.study.verdict import judge_claims
from provetune.tasks import TASKS

Array = np.ndarray[Any, np.dtype[Any]]
METRIC = "accuracy"
SMALLEST = 0.01
SEEDS = 3
IDLE_SPREAD = 0.5
BATCH = 32
WIDTH = 32


@dataclass(frozen=True)
class World:
    """A problem.

    Attributes:
        classes, numbers: how many labels there are, and numbers of a row.
        train, validation, test: rows.
        apart: distance of a class from the middle, in standard deviations of a row.
        blur: standard deviation of what is added to the numbers that `head` sees.
        wrong: share of labels of all splits that are wrong.
        twins: whether the first two labels mean the same.
        idle: further numbers that say nothing, each of half the spread of the others.
        start: of the network's first layer, as a share of the usual spread.
        usual: learning rate that suits the network.
        rate: the network's learning rate over the usual one; 0 for no network.
        epochs, decay: of the network.
        claims, accept: as in a problem file; accept is a level of accuracy.
        larger: whether the catalogue has a larger backbone.
    """

    classes: int = 4
    numbers: int = 24
    train: int = 1500
    validation: int = 1000
    test: int = 1000
    apart: float = 2.2
    blur: float = 0.5
    wrong: float = 0.0
    twins: bool = False
    idle: int = 0
    start: float = 1.0
    usual: float = 0.1
    rate: float = 0.0
    epochs: float = 6.0
    decay: float = 0.0
    claims: tuple[str, ...] = ()
    accept: float | None = None
    larger: bool = True


@dataclass(frozen=True)
class Rows:
    """Rows of a split: their numbers (N, D), what `head` sees of them, their labels as given and as they are (N,)."""

    full: Array
    blurred: Array
    labels: Array
    true: Array

    def first(self, count: int) -> Rows:
        return Rows(self.full[:count], self.blurred[:count], self.labels[:count], self.true[:count])


def make_evidence(world: World, random: np.random.Generator) -> tuple[Evidence, dict[str, Rows]]:
    """A study of this world, run; and its rows, with as many training rows again under ``more``."""
    rows = _draw(world, random)
    rows["more"], rows["train"] = rows["train"], rows["train"].first(world.train)
    names = tuple(f"label{number}" for number in range(world.classes))
    targets = Targets("single_label", names, tuple(np.bincount(rows["train"].labels, minlength=world.classes).tolist()))
    words = max(2, world.numbers // 3)
    learners = {
        "words": _learner("words", targets, rows, lambda part: part.full[:, :words]),
        "head": _learner("head", targets, rows, lambda part: part.blurred),
    }
    candidates: dict[str, CandidateEvidence] = {}
    judged_test: dict[str, CandidateRows] = {}
    for name, learner in learners.items():
        candidates[name], judged_test[name] = _fitted(name, learner, rows, words)
    if world.rate:
        candidates["full"], judged_test["full"] = _trained(world, targets, rows, random)
    best = max(candidates, key=lambda name: (bool(candidates[name].passed), candidates[name].score))
    cheap = best if best in learners else "head"
    curve, suspicion = probe_curve(learners[cheap], METRIC), probe_labels(learners[cheap].settled(), METRIC)
    evidence = Evidence(
        study="world-1",
        metric=METRIC,
        best=best,
        candidates=candidates,
        rows={name: len(part.labels) for name, part in rows.items()},
        label_names=names,
        seeds=SEEDS,
        smallest=SMALLEST,
        claims=tuple(_judged(world.claims, judged_test)),
        accept=tuple(_accepted(world, judged_test[best])),
        curves={} if curve is None else {cheap: curve},
        suspicion=suspicion,
        larger=("larger", 4.8) if world.larger else None,
    )
    return evidence, rows


def head_score(world: World, rows: dict[str, Rows], train: Rows, labels: Array) -> float:
    """What `head` scores on the validation rows as given when it learns from these rows and labels."""
    names = tuple(f"label{number}" for number in range(world.classes))
    targets = Targets("single_label", names, tuple(np.bincount(labels, minlength=world.classes).tolist()))
    learned = {**rows, "train": replace(train, labels=labels)}
    learner = _learner("head", targets, learned, lambda part: part.blurred)
    judged = learner.judged(np.arange(len(labels)))
    return float((judged.labels == judged.predictions).mean())


def network_score(world: World, rows: dict[str, Rows], random: np.random.Generator) -> float:
    """The mean validation score of networks that are trained as `world` says."""
    return float(np.mean([max(each[METRIC] for _, each in _run(world, rows, random)[1]) for _ in range(SEEDS)]))


def _run(world: World, rows: dict[str, Rows], random: np.random.Generator) -> Any:
    return Network(world, random).train(rows["train"], rows["validation"])


def _draw(world: World, random: np.random.Generator) -> dict[str, Rows]:
    centres = random.normal(size=(world.classes, world.numbers))
    centres *= world.apart / np.linalg.norm(centres, axis=1, keepdims=True)
    if world.twins:
        centres[1] = centres[0]
    found = {}
    for name in ("train", "validation", "test"):
        count = getattr(world, name) * (2 if name == "train" else 1)
        labels = random.integers(0, world.classes, count)
        full = centres[labels] + random.normal(size=(count, world.numbers))
        idle = IDLE_SPREAD * random.normal(size=(count, world.idle))
        full = np.concatenate([full, idle], axis=1)
        wrong = random.random(count) < world.wrong
        shift = random.integers(1, world.classes, count)
        given = np.where(wrong, (labels + shift) % world.classes, labels)
        found[name] = Rows(full, full + world.blur * random.normal(size=full.shape), given, labels)
    return found


def _learner(name: str, targets: Targets, rows: dict[str, Rows], see: Callable[[Rows], Array]) -> CheapLearner:
    tables = {split: _table(split, rows[split].labels, targets) for split in ("train", "validation")}
    seen = {split: _of_length_one(see(rows[split])) for split in tables}
    method: Any = METHODS.get("head")
    return CheapLearner(
        name,
        TASKS.get("classification"),
        targets,
        method,
        method.settings(),
        tables["train"],
        tables["validation"],
        seen["train"],
        seen["validation"],
        rows["train"].labels,
        rows["validation"].labels,
    )


def _table(split: str, labels: Array, targets: Targets) -> pa.Table:
    names = [targets.names[label] for label in labels]
    ids = [f"{split}{number}" for number in range(len(labels))]
    return pa.table({"row_id": ids, "text": ids, "label": pa.array(names, pa.string())})


def _fitted(
    name: str, learner: CheapLearner, rows: dict[str, Rows], words: int
) -> tuple[CandidateEvidence, CandidateRows]:
    model = learner.fit(np.arange(len(learner.labels)))
    see = rows["test"].full[:, :words] if name == "words" else rows["test"].blurred
    tested = _judge(learner.targets, model.logits(_of_length_one(see)), rows["test"].labels)
    checked = _judge(learner.targets, model.logits(learner.checked), learner.gold)
    candidate = Candidate(method="tfidf" if name == "words" else "head")
    score = float((checked.labels == checked.predictions).mean())
    seconds, cost = (2.0, 1.0) if name == "words" else (10.0, 91.0)
    run = RunEvidence(score, training_rows=len(learner.labels), seconds=seconds)
    evidence = CandidateEvidence(
        name, candidate, "texts" if name == "words" else "features", (run,) * SEEDS, (checked,), True, {}, cost
    )
    return evidence, CandidateRows((tested,), True)


def _trained(
    world: World, targets: Targets, rows: dict[str, Rows], random: np.random.Generator
) -> tuple[CandidateEvidence, CandidateRows]:
    runs, checked, tested = [], [], []
    for _ in range(SEEDS):
        losses, evaluations, best = _run(world, rows, random)
        said = _judge(targets, best.logits(rows["validation"].full), rows["validation"].labels)
        score = float((said.labels == said.predictions).mean())
        usual = float(np.bincount(rows["validation"].labels).max() / len(said.labels))
        failed = "no better than one label" if score <= usual else None
        planned = len(losses)
        runs.append(RunEvidence(score, tuple(losses), tuple(evaluations), planned, world.train, 300.0, failed))
        if failed is None:
            checked.append(said)
            tested.append(_judge(targets, best.logits(rows["test"].full), rows["test"].labels))
    candidate = Candidate(
        method="full", learning_rate=world.usual * world.rate, epochs=world.epochs, weight_decay=world.decay
    )
    usual_settings = {"learning_rate": world.usual}
    evidence = CandidateEvidence("full", candidate, "weights", tuple(runs), tuple(checked), False, usual_settings, 91.0)
    return evidence, CandidateRows(tuple(tested), False)


class Network:
    """Numbers, a hidden layer of rectifiers, labels: stochastic gradient descent with warm-up and linear decay."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self.world, self.random = world, random
        self.weights = [
            world.start * random.normal(size=(world.numbers + world.idle, WIDTH)) * (2 / world.numbers) ** 0.5,
            np.zeros(WIDTH),
            random.normal(size=(WIDTH, world.classes)) * 0.05,
            np.zeros(world.classes),
        ]

    def logits(self, rows: Array) -> Array:
        first, bias, second, last = self.weights
        with np.errstate(all="ignore"):
            found: Array = np.nan_to_num(np.maximum(rows @ first + bias, 0) @ second + last, posinf=1e6, neginf=-1e6)
        return found

    def train(self, train: Rows, validation: Rows) -> tuple[list[float], list[tuple[int, dict[str, float]]], Network]:
        """Losses of the steps, scores of six evaluations, and the state that scored best."""
        total = max(6, round(self.world.epochs * len(train.labels) / BATCH))
        due = {max(1, round(total * (number + 1) / 6)) for number in range(6)}
        losses: list[float] = []
        evaluations: list[tuple[int, dict[str, float]]] = []
        best, reached = self.copy(), -1.0
        for step in range(total):
            chosen = self.random.integers(0, len(train.labels), BATCH)
            losses.append(self._step(train.full[chosen], train.labels[chosen], self._rate(step, total)))
            if step + 1 in due:
                scores = self.score(validation)
                evaluations.append((step + 1, scores))
                if scores[METRIC] > reached:
                    best, reached = self.copy(), scores[METRIC]
        return losses, evaluations, best

    def score(self, rows: Rows) -> dict[str, float]:
        shares = _softmax(self.logits(rows.full))
        own = np.maximum(shares[np.arange(len(rows.labels)), rows.labels], 1e-12)
        return {METRIC: float((shares.argmax(axis=1) == rows.labels).mean()), "log_loss": float(-np.log(own).mean())}

    def copy(self) -> Network:
        twin = object.__new__(Network)
        twin.world, twin.random, twin.weights = self.world, self.random, [each.copy() for each in self.weights]
        return twin

    def _rate(self, step: int, total: int) -> float:
        rising = max(1, round(0.06 * total))
        factor = (step + 1) / rising if step < rising else (total - step) / max(1, total - rising)
        return self.world.usual * self.world.rate * factor

    def _step(self, rows: Array, labels: Array, rate: float) -> float:
        first, bias, second, _ = self.weights
        with np.errstate(all="ignore"):
            hidden = np.maximum(rows @ first + bias, 0)
            shares = _softmax(self.logits(rows))
            loss = float(-np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12)).mean())
            wrong = shares.copy()
            wrong[np.arange(len(labels)), labels] -= 1
            wrong /= len(labels)
            back = (wrong @ second.T) * (hidden > 0)
            gradients = [rows.T @ back, back.sum(axis=0), hidden.T @ wrong, wrong.sum(axis=0)]
            for place, gradient in enumerate(gradients):
                decay = self.world.decay * self.weights[place] if self.weights[place].ndim > 1 else 0
                moved = self.weights[place] - rate * (gradient + decay)
                self.weights[place] = np.clip(np.nan_to_num(moved), -1e6, 1e6)
        return loss


def _judged(claims: Sequence[str], candidates: dict[str, CandidateRows]) -> list[dict[str, Any]]:
    known = {name: rows for name, rows in candidates.items() if rows.judged}
    asked = [parse_claim(text) for text in claims if set(parse_claim(text).candidates) <= set(known)]
    if not asked:
        return []
    return judge_claims(asked, known, metric=METRIC, kinds={METRIC: "sums"}, alpha=0.05, smallest=SMALLEST)


def _accepted(world: World, rows: CandidateRows) -> list[dict[str, Any]]:
    if world.accept is None:
        return []
    one = rows.judged[0]
    right = (one.labels == one.predictions).astype(float)
    error = float(right.std(ddof=1) / len(right) ** 0.5)
    bound = float(right.mean() - 1.645 * error)
    met = True if bound >= world.accept else None
    return [{"metric": METRIC, "required": f">= {world.accept}", "value": float(right.mean()), "met": met}]


def _judge(targets: Targets, logits: Array, labels: Array) -> JudgedRows:
    task = TASKS.get("classification")
    outcomes = task.outcomes(_table("row", labels, targets), _softmax(np.asarray(logits, np.float64)), targets)
    return replace(judged_rows(outcomes, targets), groups=None)


def _softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Array = raised / raised.sum(axis=1, keepdims=True)
    return found


def _of_length_one(rows: Array) -> Array:
    """As features of a frozen backbone are."""
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
