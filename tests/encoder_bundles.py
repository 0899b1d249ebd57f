"""A small bundle of every task that an encoder answers, and what its rows are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from provetune.compression.step import Given, Made
from provetune.core.protocols import EncodeSettings, FinishesModel, PreparesModel, PreparesTokenizer, Targets
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.models.bundle import Bundle, BundleContents, Golden, open_bundle, write_bundle
from provetune.models.loading import load_model, load_tokenizer
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

ENCODER_TASKS = (
    *("classification", "ordinal", "pair", "regression", "relation"),
    *("retrieval", "similarity", "span_qa", "tagging"),
)
ROWS = Path(__file__).parent / "contract" / "eight_rows"
LONGEST = 100


@dataclass(frozen=True)
class Sample:
    """A bundle and the rows it was made for."""

    bundle: Bundle
    rows: pa.Table

    def given(self, folder: Path, **options: Any) -> Given:
        task = TASKS.get(self.bundle.task)
        return Given(self.bundle, task, self.bundle.targets, self.rows, self.rows, 0, folder, **options)

    @property
    def asked(self) -> pa.Table:
        """The rows as a predictor sees them: texts alone."""
        return self.rows.select([name for name in ("text", "text_pair") if name in self.rows.column_names])


def rows_of(name: str) -> tuple[pa.Table, Columns]:
    task, raw = TASKS.get(name), read_table(str(ROWS / f"{name}.jsonl"))
    columns = Columns.model_validate(task.detect(raw, {}).columns)
    return to_examples(raw, Data(columns=columns), columns, task).drop_columns(["_bad"]), columns


def record_of(columns: Columns, name: str, long_texts: str = "head") -> dict[str, Any]:
    return {
        "columns": columns.model_dump(),
        "inputs": TASKS.get(name).input_columns(columns),
        "encode": {"max_length": LONGEST, "long_texts": long_texts, "stride": 8},
        "problem": {"data": {"mask": []}},
    }


def loud(model: Any) -> Any:
    """The random model with weights so large that its answers differ from text to text."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(6.0)
    return model


def write_encoder_bundle(folder: Path, name: str, backbone: Path, **options: Any) -> Sample:
    """A bundle of the task with random weights."""
    task, (rows, columns) = TASKS.get(name), rows_of(name)
    targets = task.targets(rows)
    tokenizer = load_tokenizer(backbone)
    if isinstance(task, PreparesTokenizer):
        tokenizer = task.prepare_tokenizer(tokenizer, targets)
    model = loud(load_model(backbone, task.auto_class, task.head(targets), seed=1))
    if isinstance(task, PreparesModel):
        model = task.prepare_model(model, tokenizer, targets)
    if isinstance(task, FinishesModel):
        model = task.finish_model(model, targets)
    contents = BundleContents(
        "transformers",
        name,
        targets,
        Golden((), ()),
        record_of(columns, name, **options),
        model=model,
        tokenizer=tokenizer,
    )
    return Sample(open_bundle(write_bundle(folder, contents)), rows)


def write_frozen_sample(folder: Path, backbone: Path, long_texts: str = "windows") -> Sample:
    """A frozen encoder with a layer of three labels on its features, texts cut into windows."""
    import numpy as np

    from provetune.models.features import load_encoder
    from provetune.models.head_model import HeadModel
    from provetune.models.logistic import Linear

    rows, columns = rows_of("classification")
    targets: Targets = TASKS.get("classification").targets(rows)
    random = np.random.default_rng(0)
    width = (len(targets.names), 32)
    head = HeadModel(Linear(random.normal(size=width).astype(np.float32), np.zeros(width[0], np.float32)), {})
    record = record_of(columns, "classification", long_texts)
    record["encode"]["max_length"] = 24
    contents = BundleContents(
        "frozen_encoder",
        "classification",
        targets,
        Golden((), ()),
        record,
        model=loud(load_encoder(backbone)),
        tokenizer=load_tokenizer(backbone),
        fitted=head,
    )
    return Sample(open_bundle(write_bundle(folder, contents)), rows)


def write_made(folder: Path, parent: Bundle, made: Made, golden: Golden | None = None) -> Bundle:
    """The derivative as a bundle."""
    fixed = ("format_version", "bundle_kind", "task", "targets", "packages")
    record = {name: value for name, value in parent.record.items() if name not in fixed}
    contents = BundleContents(
        made.kind,
        parent.task,
        made.targets or parent.targets,
        golden or Golden((), ()),
        {**record, **made.record},
        model=made.model,
        tokenizer=made.tokenizer,
        furnish=made.furnish,
    )
    return open_bundle(write_bundle(folder, contents))


def encoded(sample: Sample, rows: pa.Table | None = None) -> list[dict[str, Any]]:
    """Features of the rows."""
    from provetune.models.feature_table import FeatureTable

    task, tokenizer = TASKS.get(sample.bundle.task), load_tokenizer(sample.bundle.model_path)
    make = partial(task.encode, tokenizer=tokenizer, targets=None)
    store = FeatureTable(
        make(sample.asked if rows is None else rows, settings=EncodeSettings(**sample.bundle.record["encode"]))
    )
    return store.take(range(len(store)))


def write_exported(folder: Path, name: str, backbone: Path) -> Path:
    """The ONNX bundle of a task (or ``"frozen"``) at `folder`; its parent lies beside it as ``parent``."""
    from provetune.compression.steps import STEPS

    parent, step = folder.parent / "parent", STEPS.get("onnx")
    sample = write_frozen_sample(parent, backbone) if name == "frozen" else write_encoder_bundle(parent, name, backbone)
    return write_made(folder, sample.bundle, step.apply(sample.given(folder.parent), step.settings())).path
