"""A bundle that answers.

model = load("bundles/full-2")
model.predict(["where is my parcel?"])      # [{"label": "delivery", "score": 0.97}]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from provetune.core.errors import UsageError
from provetune.core.protocols import PointsIntoText, ReadsInputs, ReadsItems, Searches, Streams
from provetune.inference.answering import StreamingAnswerer
from provetune.inference.inputs import Missing, Prepared, TextColumns, prepare
from provetune.inference.predictions import Predictions
from provetune.inference.threads import settle_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Answers, Array, FeatureColumns, Outputs, Targets, Task
    from provetune.inference.answering import Answerer
    from provetune.inference.files import FileReport, Listener

Precision = Literal["fp32", "bf16", "auto"]
PRECISIONS = get_args(Precision)
DOCUMENT_KEYS = ("document", "score")


class Predictor:
    """A loaded bundle. Made by `load`.

    One number format for everything it is asked: an answer does not depend on whether a text came alone, in a
    list or in a file.

    Attributes:
        path: the bundle's folder.
        task: what kind of problem it answers.
        targets: its labels.
        record: ``provetune.json``.
        precision: number format it computes in.
        engine: what computes, in words.
    """

    def __init__(self, path: Path, task: Task, targets: Targets, record: Mapping[str, Any], answerer: Answerer) -> None:
        self.path, self.task, self.targets, self.record = path, task, targets, record
        self._answerer = answerer
        columns = text_columns(record)
        if isinstance(task, ReadsInputs):
            columns = replace(columns, read=task.read_input)
        elif isinstance(task, ReadsItems):
            columns = replace(columns, whole=partial(task.read_item, record.get("columns") or {}))
        self.columns = columns

    @property
    def precision(self) -> str:
        return self._answerer.precision

    @property
    def engine(self) -> str:
        return self._answerer.engine

    @property
    def answer_keys(self) -> tuple[str, ...]:
        """Keys of every answer; the first is what a table shows."""
        if isinstance(self.task, Searches) and self.record.get("bundle_kind") == "examples":
            return DOCUMENT_KEYS  # a method without vectors tells the documents that it knows
        return self.task.answer_keys

    def predict(
        self,
        texts: Sequence[Any] | str,
        *,
        top_k: int | None = None,
        proba: bool = False,
        missing: Missing = "refuse",
    ) -> Predictions:
        """Answers in the order of `texts`.

        Args:
            texts: strings, tuples of two for pairs, or mappings with the columns the bundle was trained on.
            top_k: add the k most probable labels with their probabilities.
            proba: add every label with its probability.
            missing: ``"keep"`` answers an empty text with label None; ``"refuse"`` refuses all.

        Returns:
            `Predictions`: `Task.answer_keys` of each text, ``{"label", "score"}`` for labels, with ``"labels"`` on
            demand.

        Raises:
            DataError: an item is no text, or empty.
        """
        _check_top_k(top_k)
        items = [texts] if self._is_item(texts) else list(texts)
        found = prepare(items, self.columns, missing=missing)
        answers = self.answer(found, top_k=top_k, proba=proba)
        return Predictions(answers, [_shown(item) for item in items], self.answer_keys)

    def stream(self, text: Any) -> Iterator[str]:
        """The answer to one text or conversation, piece by piece as it is being written.

        Closing the iterator stops the writing. Joined the pieces are what `predict` gives as ``text``.

        Args:
            text: one item, as `predict` takes them.

        Raises:
            UsageError: bundles of this task, or of this kind, do not write.
            DataError: it is no text, or empty.
        """
        answerer = self._answerer
        if not isinstance(self.task, Streams) or not isinstance(answerer, StreamingAnswerer):
            raise UsageError(
                f"A bundle of the task '{self.task.name}' writes no text that could be streamed; use predict."
            )
        return answerer.stream(prepare([text], self.columns).examples)

    def _is_item(self, given: Any) -> bool:
        """Whether a caller hands over one item rather than several."""
        if isinstance(given, str | Mapping):
            return True
        return isinstance(self.task, ReadsItems) and self.task.is_item(given)

    def probabilities(self, texts: Sequence[Any] | pa.Table) -> Array:
        """Probabilities of each text, float64 (N, C), in the order of `targets.names`.

        Args:
            texts: as `predict` takes them, or an Arrow table of examples, whose texts are joined and masked already.

        Raises:
            UsageError: the task's labels are no classes.
        """
        if not self.task.classes:
            raise UsageError(f"A bundle of the task '{self.task.name}' has no probabilities of labels; use predict.")
        examples = texts if hasattr(texts, "column_names") else prepare(texts, self.columns).examples
        found: Array = self.answers(examples)
        return found

    def answer(self, prepared: Prepared, *, top_k: int | None = None, proba: bool = False) -> list[dict[str, Any]]:
        """Answers to prepared items; those without text have the keys of the others, and nothing under them."""
        found: list[dict[str, Any]] = []
        if len(prepared.examples):
            found = self.task.predictions(self.answers(prepared.examples), self.targets, top_k=top_k, proba=proba)
            if isinstance(self.task, PointsIntoText) and prepared.given is not None:
                found = [self._into_given(told, texts) for told, texts in zip(found, prepared.given, strict=True)]
        nothing: dict[str, Any] = dict.fromkeys(found[0] if found else self.answer_keys)
        if "labels" in nothing or (not found and (proba or top_k is not None)):
            nothing["labels"] = {}
        answers: list[dict[str, Any]] = [dict(nothing) for _ in range(prepared.count)]
        for place, row in zip(prepared.places, found, strict=True):
            answers[place] = row
        return answers

    def _into_given(self, told: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
        """An answer whose places are those of the texts before personal data was masked."""
        from provetune.data.masked_places import mask_keeping_places

        task: Any = self.task
        found: dict[str, Any] = task.point_into_given(
            told, [mask_keeping_places(text, self.columns.mask) for text in texts]
        )
        return found

    def predict_file(
        self,
        source: str | Path,
        output: str | Path,
        *,
        top_k: int | None = None,
        proba: bool = False,
        missing: Missing = "refuse",
        columns: Sequence[str] | None = None,
        progress: Listener | None = None,
    ) -> FileReport:
        """Answer every row of a file, in memory that does not grow with it; see `provetune.inference.files`.

        Args:
            source: a csv, tsv, json, jsonl, parquet, xlsx or txt file; ``"-"`` reads lines of the standard input.
            output: a csv, tsv or jsonl file; ``"-"`` writes jsonl to the standard output.
            columns: the text columns, where the file names them otherwise than the training file did.
            progress: told rows done and rows in all (None where that is not known).
        """
        from provetune.inference.files import predict_file

        _check_top_k(top_k)
        return predict_file(
            self, source, output, top_k=top_k, proba=proba, missing=missing, columns=columns, progress=progress
        )

    def answers(self, examples: pa.Table) -> Answers:
        """What the model says about examples whose texts are joined and masked already, in the task's own form."""
        outputs, features = self.outputs(examples)
        return self.task.answers(outputs, features, examples, self.targets)

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """What the model computes from examples, before the task makes answers of it; see `Answerer.outputs`."""
        return self._answerer.outputs(examples)

    def golden_answers(self, examples: pa.Table) -> list[Any]:
        """The same as JSON, as golden examples keep it."""
        from provetune.models.bundle.golden import golden_form

        answers = self.answers(examples)
        return golden_form(answers, lambda: self.task.predictions(answers, self.targets))

    def __repr__(self) -> str:
        return f"Predictor({str(self.path)!r}, {len(self.targets.names)} labels, {self.precision}, {self.engine})"


def load(
    path: str | Path,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
    verify: bool | Literal["golden"] = True,
    threads: int | None = None,
    backbone: str | Path | None = None,
) -> Predictor:
    """Open a bundle for answering, or an adapter that was kept alone.

    Args:
        path: the bundle's folder, or the folder ``adapter`` of one.
        precision: ``"fp32"`` gives what `transformers.pipeline` gives. ``"auto"`` takes bf16 where the machine
            multiplies it natively: twice as fast in bulk, probabilities differ by up to about 0.01.
        device: ``"cpu"``, ``"cuda"``, …
        verify: compare every file with the manifest first (an adapter alone has none); ``"golden"`` also asks the
            golden examples again and refuses a bundle that answers them differently here.
        threads: for one operation; torch's own choice when left out.
        backbone: of an adapter alone, where the model lies that it was learned on; the name of then when left out.

    Raises:
        UsageError: there is no bundle, it is of an unknown kind, or there is no such device or precision; the backbone
            is another than the adapter was learned on.
        EnvironmentFault: this machine has no such device.
        CorruptError: a file is not what was written.
        Refused: with ``verify="golden"``, this machine gives other answers than the one that made the bundle.
    """
    settle_threads(threads)
    from provetune.inference.backends import BACKENDS
    from provetune.models.bundle import open_bundle
    from provetune.models.bundle.origin import is_adapter
    from provetune.models.devices import check_device
    from provetune.tasks import TASKS

    check_device(device, auto=False)
    if precision not in PRECISIONS:
        raise UsageError(
            f"precision must be {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}. Got '{precision}' instead."
        )
    if verify not in (True, False, "golden"):
        raise UsageError(f"verify must be True, False or 'golden'. Got {verify!r} instead.")
    if is_adapter(Path(path)):
        from provetune.inference.adapters import load_adapter

        if verify == "golden":
            raise UsageError("An adapter alone has no golden examples; its bundle has.", where=str(path))
        return load_adapter(path, backbone, precision=precision, device=device)
    if backbone is not None:
        raise UsageError("A backbone is named for an adapter alone; a bundle has its own.", where=str(path))
    bundle = open_bundle(Path(path), verify=bool(verify))
    task = TASKS.get(bundle.task)
    answerer = BACKENDS.get(bundle.kind).open(bundle, task, precision=precision, device=device)
    predictor = Predictor(Path(bundle.path), task, bundle.targets, bundle.record, answerer)
    if verify == "golden":
        from provetune.inference.agreement import require_golden

        require_golden(predictor, bundle.golden, device)
    return predictor


def text_columns(record: Mapping[str, Any]) -> TextColumns:
    """The text columns that a bundle's record names, and what the problem and the candidate mask in them."""
    named = record.get("inputs") or (record.get("columns") or {}).get("text") or "text"
    names = (named,) if isinstance(named, str) else tuple(named)
    mask = ((record.get("problem") or {}).get("data") or {}).get("mask") or ()
    own = ((record.get("candidate") or {}).get("data") or {}).get("mask") or ()
    return TextColumns(names, tuple(mask), tuple(own))


def _check_top_k(top_k: int | None) -> None:
    if top_k is not None and top_k < 1:
        raise UsageError(f"top_k must be at least 1. Got {top_k} instead.")


def _shown(item: Any) -> str:
    if isinstance(item, Mapping):
        return " | ".join(str(value) for value in item.values())
    return " | ".join(map(str, item)) if isinstance(item, tuple | list) else str(item)
