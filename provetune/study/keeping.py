"""A trial's model into a bundle: what the record says, and the golden examples it is held to later.

Golden inputs are the task's own examples and the label names. Rows of the user's data would pin the model down
no better, and a bundle travels to places where those rows must not go.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import (
    AttachesAdapter,
    ExampleModel,
    FittedModel,
    Furnishes,
    ReadsInputs,
    StaysApart,
    Targets,
    Task,
    WeightMethod,
)
from provetune.models.bundle import BundleContents, Golden, write_bundle
from provetune.models.bundle.golden import golden_form
from provetune.models.bundle.origin import write_origin
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import torch

    from provetune.core.little_data import LabelReader
    from provetune.core.protocols import FeatureColumns, Outputs

_GOLDEN_LABELS = 14


def write_trained(
    folder: Path,
    spec: TrialSpec,
    task: Task,
    targets: Targets,
    method: WeightMethod,
    learned: torch.nn.Module,
    merged: torch.nn.Module,
    tokenizer: Any,
    record: Mapping[str, Any],
) -> None:
    """Write the bundle of a model trained by gradient descent, its adapter beside where it has one.

    Args:
        targets: with what was tuned on validation rows.
        learned: what was trained.
        merged: the plain transformers model with it folded in, temperature included; of a method that `StaysApart`,
            the model with what it added.
        record: temperature and validation scores.
    """
    examples = golden_examples(task, spec)
    outputs, features = _trained_outputs(merged, task, targets, examples, tokenizer, spec)
    golden = _golden(task, targets, examples, outputs, features)
    said = {**bundle_record(task, spec), **record}
    apart = isinstance(method, StaysApart)
    model = method.plain(merged) if isinstance(method, StaysApart) else merged

    def adapter(place: Path) -> None:
        # What stays apart is kept as it answers, its head calibrated; what is merged, as it was learned.
        method.save_adapter(merged if apart else learned, place)
        if isinstance(method, AttachesAdapter) and any(place.iterdir()):
            # Where there was nothing to merge, the one model there is has its temperature in it.
            folded = {"temperature": 1.0} if merged is learned else {}
            write_origin(place, {**said, **folded, "task": spec.task, "targets": targets.to_json()})

    def furnish(place: Path) -> None:
        if isinstance(task, Furnishes):
            task.furnish(place, model, tokenizer, targets)

    write_bundle(
        folder,
        BundleContents(
            kind=method.bundle_kind,
            task=spec.task,
            targets=targets,
            golden=golden,
            record={**said, "needs_provetune": True} if apart else said,
            model=model,
            tokenizer=tokenizer,
            adapter=adapter,
            furnish=furnish,
        ),
    )


def write_fitted(
    folder: Path,
    spec: TrialSpec,
    task: Task,
    targets: Targets,
    kind: str,
    fitted: FittedModel,
    record: Mapping[str, Any],
) -> None:
    """Write the bundle of a model fitted in one go; one on features takes its frozen encoder along."""
    from provetune.study.fitted import joined_texts
    from provetune.study.frozen_features import compute_features, encoder_of

    examples = golden_examples(task, spec)
    model, tokenizer = None, None
    if spec.backbone is None:
        inputs: Any = joined_texts(examples)
    else:
        model, tokenizer = encoder_of(spec)
        inputs = compute_features(spec, examples, precision="fp32")
    golden = _golden(task, targets, examples, fitted.logits(inputs), None)
    write_bundle(
        folder,
        BundleContents(
            kind=kind,
            task=spec.task,
            targets=targets,
            golden=golden,
            record={**bundle_record(task, spec), **record},
            model=model,
            tokenizer=tokenizer,
            fitted=fitted,
        ),
    )


def write_encoder_and_head(
    folder: Path,
    spec: TrialSpec,
    task: Task,
    targets: Targets,
    parts: tuple[str, torch.nn.Module, Any, FittedModel | LabelReader],
    examples: pa.Table,
    logits: Any,
    record: Mapping[str, Any],
) -> None:
    """Write the bundle of a model beside which something lies that reads its answers.

    Args:
        parts: kind of bundle; the model and its tokenizer, as transformers has them; what lies beside them.
        examples, logits: golden examples (N), and what is said of them (N, C).
    """
    kind, model, tokenizer, fitted = parts
    write_bundle(
        folder,
        BundleContents(
            kind=kind,
            task=spec.task,
            targets=targets,
            golden=_golden(task, targets, examples, logits, None),
            record={**bundle_record(task, spec), **record},
            model=model,
            tokenizer=tokenizer,
            fitted=fitted,
        ),
    )


def write_learned(
    folder: Path,
    spec: TrialSpec,
    task: Task,
    targets: Targets,
    kind: str,
    learned: ExampleModel,
    record: Mapping[str, Any],
) -> None:
    """Write the bundle of a model that learned from rows whole."""
    examples = golden_examples(task, spec)
    outputs, features = learned.outputs(examples)
    write_bundle(
        folder,
        BundleContents(
            kind=kind,
            task=spec.task,
            targets=targets,
            golden=_golden(task, targets, examples, outputs, features),
            record={**bundle_record(task, spec), **record},
            fitted=learned,
        ),
    )


def bundle_record(task: Task, spec: TrialSpec) -> dict[str, Any]:
    """What ``provetune.json`` keeps of the study and of this run."""
    from provetune.problem.syntax import Columns

    columns = Columns.model_validate(spec.record.get("columns") or {})
    return {
        **spec.record,
        "inputs": task.input_columns(columns),
        "summary": task.summary,
        "auto_class": task.auto_class,
        "pipeline": task.pipeline,
        "candidate": {"name": spec.candidate, **spec.settings},
        "seed": spec.seed,
        "k": spec.k,
        "backbone": None if spec.backbone is None else {k: v for k, v in spec.backbone.items() if k != "path"},
        "encode": None if spec.backbone is None else asdict(spec.encoding),
        "precision": None if spec.backbone is None else spec.settings.get("precision"),
    }


def golden_examples(task: Task, spec: TrialSpec) -> pa.Table:
    """Texts (and pairs, where the problem has two text columns) that no user's row is needed for."""
    import pyarrow as pa

    own = own_examples(task)
    texts = [text for text in own["text"].to_pylist() if text and text.strip()]
    if task.classes and not isinstance(task, ReadsInputs):
        names = spec.label_names.names[:_GOLDEN_LABELS]
        texts += [text for text in (name.replace("_", " ") for name in names) if text.strip()]
    columns = {"text": pa.array(texts, pa.string())}
    if _paired(task, spec):
        seconds = own["text_pair" if "text_pair" in own.column_names else "text"].to_pylist()
        columns["text_pair"] = pa.array([seconds[number % len(seconds)] for number in range(len(texts))], pa.string())
    return pa.table(columns)


def own_examples(task: Task) -> pa.Table:
    """The task's two example rows as it reads them."""
    import pyarrow as pa

    from provetune.data.table import ROW, Kind, RawTable
    from provetune.problem.syntax import Columns, Data

    names = list(task.examples[0])
    cells = {name: pa.array([_cell_of(each[name]) for each in task.examples], pa.string()) for name in names}
    kinds = {
        name: pa.chunked_array([pa.array([_kind_of(each[name], Kind) for each in task.examples], pa.uint8())])
        for name in names
    }
    table = pa.table({**cells, ROW: pa.array([1, 2], pa.int64())})
    raw = RawTable(table, "examples", "jsonl", kinds=kinds)
    columns = Columns.model_validate(task.detect(raw, {}).columns)
    parts = task.read(raw, Data(columns=columns), columns)
    return pa.table({name: values for name, values in parts.columns.items() if name in ("text", "text_pair")})


def _cell_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kind_of(value: Any, kinds: Any) -> int:
    found = {str: kinds.TEXT, bool: kinds.BOOLEAN, int: kinds.NUMBER, float: kinds.NUMBER, list: kinds.LIST}
    return int(found.get(type(value), kinds.OBJECT))


def _paired(task: Task, spec: TrialSpec) -> bool:
    from provetune.problem.syntax import Columns

    named = task.input_columns(Columns.model_validate(spec.record.get("columns") or {}))
    return isinstance(named, list | tuple) and len(named) == 2


def _golden(
    task: Task, targets: Targets, examples: pa.Table, outputs: Outputs, features: FeatureColumns | None
) -> Golden:
    answers = task.answers(outputs, features, examples, targets)
    inputs: list[Any] = examples.column("text").to_pylist()
    if "text_pair" in examples.column_names:
        inputs = [list(pair) for pair in zip(inputs, examples.column("text_pair").to_pylist(), strict=True)]
    return Golden.of(inputs, golden_form(answers, lambda: task.predictions(answers, targets)))


def _trained_outputs(
    model: torch.nn.Module, task: Task, targets: Targets, examples: pa.Table, tokenizer: Any, spec: TrialSpec
) -> tuple[Outputs, FeatureColumns]:
    from provetune.models.forward import predict_outputs
    from provetune.training.features import encode_split

    store = encode_split(task, examples, tokenizer, spec.encoding, None)
    outputs = predict_outputs(
        model, task, store, tokenizer.pad_token_id, targets=targets, tokenizer=tokenizer, device=spec.device
    )
    return outputs, store
