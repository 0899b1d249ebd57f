"""A trial's model into a bundle: what the record says, and the golden examples it is held to later.

Golden inputs are the task's own examples and the label names. Rows of the user's data would pin the model down
no better, and a bundle travels to places where those rows must not go.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import FittedModel, Task, WeightMethod
from provetune.models.bundle import BundleContents, Golden, write_bundle
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

_GOLDEN_LABELS = 14


def write_trained(
    folder: Path,
    spec: TrialSpec,
    task: Task,
    method: WeightMethod,
    learned: torch.nn.Module,
    merged: torch.nn.Module,
    tokenizer: Any,
    record: Mapping[str, Any],
) -> None:
    """Write the bundle of a model trained by gradient descent, its adapter beside where it has one.

    Args:
        learned: what was trained.
        merged: the plain transformers model with it folded in, temperature included.
        record: temperature and validation scores.
    """
    examples = golden_examples(task, spec)
    logits, rows = _trained_logits(merged, task, examples, tokenizer, spec)
    golden = _golden(task, spec, examples, logits, rows)

    def adapter(place: Path) -> None:
        method.save_adapter(learned, place)

    write_bundle(
        folder,
        BundleContents(
            kind=method.bundle_kind,
            task=spec.task,
            targets=spec.label_names,
            golden=golden,
            record={**bundle_record(spec), **record},
            model=merged,
            tokenizer=tokenizer,
            adapter=adapter,
        ),
    )


def write_fitted(
    folder: Path, spec: TrialSpec, task: Task, kind: str, fitted: FittedModel, record: Mapping[str, Any]
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
    golden = _golden(task, spec, examples, fitted.logits(inputs), np.arange(examples.num_rows))
    write_bundle(
        folder,
        BundleContents(
            kind=kind,
            task=spec.task,
            targets=spec.label_names,
            golden=golden,
            record={**bundle_record(spec), **record},
            model=model,
            tokenizer=tokenizer,
            fitted=fitted,
        ),
    )


def bundle_record(spec: TrialSpec) -> dict[str, Any]:
    """What ``provetune.json`` keeps of the study and of this run."""
    return {
        **spec.record,
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

    own = [str(each["text"]) for each in task.examples]
    texts = [*own, *(name.replace("_", " ") for name in spec.label_names.names[:_GOLDEN_LABELS])]
    texts = [text for text in texts if text.strip()]
    columns = {"text": pa.array(texts, pa.string())}
    if _paired(spec):
        columns["text_pair"] = pa.array([own[number % len(own)] for number in range(len(texts))], pa.string())
    return pa.table(columns)


def _paired(spec: TrialSpec) -> bool:
    text = (spec.record.get("columns") or {}).get("text")
    return isinstance(text, list | tuple) and len(text) == 2


def _golden(task: Task, spec: TrialSpec, examples: pa.Table, logits: Array, rows: Array) -> Golden:
    probabilities = task.probabilities(logits, rows, examples.num_rows, spec.label_names)
    inputs: list[Any] = examples.column("text").to_pylist()
    if "text_pair" in examples.column_names:
        inputs = [list(pair) for pair in zip(inputs, examples.column("text_pair").to_pylist(), strict=True)]
    return Golden.from_arrays(inputs, probabilities)


def _trained_logits(
    model: torch.nn.Module, task: Task, examples: pa.Table, tokenizer: Any, spec: TrialSpec
) -> tuple[Array, Array]:
    from provetune.models.forward import predict_logits
    from provetune.training.features import encode_split

    store = encode_split(task, examples, tokenizer, spec.encoding, None)
    return predict_logits(model, task, store, tokenizer.pad_token_id, device=spec.device), store.rows
