"""Bundles of every task and of adapters through the whole way: made, tried among neighbours, judged, written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from encoder_bundles import ENCODER_TASKS, Sample, loud, record_of, rows_of, write_encoder_bundle, write_frozen_sample

from provetune.compression.asked import read_asked
from provetune.compression.exporting import export_bundle
from provetune.compression.proving import Proving
from provetune.compression.rows import CompressRows
from provetune.compression.working import Working
from provetune.inference.predictor import load
from provetune.models.bundle import BundleContents, Golden, open_bundle, write_bundle
from provetune.models.loading import load_model, load_tokenizer
from provetune.models.methods import METHODS
from provetune.tasks import TASKS

pytestmark = pytest.mark.usefixtures("quick")


def with_golden(sample: Sample) -> Sample:
    """The same bundle with its answers to its rows beside it."""
    from provetune.models.bundle.deriving import rewrite_bundle

    columns = [sample.asked[name].to_pylist() for name in sample.asked.column_names]
    texts = [each[0] if len(each) == 1 else list(each) for each in zip(*columns, strict=True)]
    golden = Golden.of(texts, load(sample.bundle.path).golden_answers(sample.asked))
    place = sample.bundle.path.with_name("golden")
    return Sample(open_bundle(rewrite_bundle(sample.bundle.path, place, sample.bundle.record, golden)), sample.rows)


@pytest.mark.parametrize("name", [*ENCODER_TASKS, "frozen"])
def test_a_chain_to_eight_bits_is_judged_and_written_for_every_task(
    name: str, tiny_backbone: Path, tmp_path: Path
) -> None:
    parent = tmp_path / "parent"
    sample = (
        write_frozen_sample(parent, tiny_backbone)
        if name == "frozen"
        else write_encoder_bundle(parent, name, tiny_backbone)
    )
    sample = with_golden(sample)
    rows = CompressRows(sample.rows, sample.rows, sample.rows)
    proving = Proving(TASKS.get(sample.bundle.task), rows, accept={}, tolerance=1e6, confidence=0.95, threads=1)
    proving.begin(sample.bundle)
    working = Working(proving, force=True, say=lambda event: None)
    at = sample.bundle
    for asked in read_asked(["onnx,int8"]):
        found = working.carry_out(asked, at, tmp_path / f"out-{asked.name}")
        at = open_bundle(tmp_path / f"out-{asked.name}")
        (level, *_) = found["levels"]
        assert level["metric"] == proving.task.metrics[0].name
        assert found["golden"]["examples"] == len(sample.rows)
        # Eight rows show little; that the numbers are those of the graph is what is asked here.
        if asked.name == "onnx" and level["value"] is not None:
            assert level["value"] == pytest.approx(level["before"], abs=1e-3)
            assert found["neighbours"]["largest"] <= 1e-5
        assert found["neighbours"]["flips"] == 0 or not found["batches"]
    assert at.record["weights"] == "int8"
    assert load(at.path, verify="golden", threads=1).engine.startswith("onnxruntime")


def adapted(method_name: str, task_name: str, backbone: Path, folder: Path) -> Sample:
    """A bundle of a method that cannot be merged, what it added drawn at random."""
    method: Any = METHODS.get(method_name)
    task, (rows, columns) = TASKS.get(task_name), rows_of(task_name)
    targets, tokenizer = task.targets(rows), load_tokenizer(backbone)
    torch.manual_seed(3)
    plain = loud(load_model(backbone, task.auto_class, task.head(targets), seed=1))
    model = method.prepare(plain, method.settings(), task)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    merged = method.merge(model)
    record = {**record_of(columns, task_name), "candidate": {"method": method_name}}
    contents = BundleContents(
        *(method.bundle_kind, task_name, targets, Golden((), ()), record),
        model=method.plain(merged),
        tokenizer=tokenizer,
        adapter=lambda place: method.save_adapter(merged, place),
    )
    return Sample(open_bundle(write_bundle(folder, contents)), rows)


@pytest.mark.parametrize(
    ("method", "task"), [("adapter", "classification"), ("prompt", "classification"), ("prefix", "tagging")]
)
def test_what_cannot_be_merged_becomes_one_graph(method: str, task: str, tiny_backbone: Path, tmp_path: Path) -> None:
    sample = adapted(method, task, tiny_backbone, tmp_path / "parent")
    assert sample.bundle.kind == "adapted"
    found = export_bundle(sample.given(tmp_path))
    assert found.how.startswith("traced")
    (asked,) = read_asked(["onnx"])
    from encoder_bundles import write_made

    out = write_made(tmp_path / "out", sample.bundle, asked.step.apply(sample.given(tmp_path), asked.settings))
    one, other = (load(each.path).outputs(sample.asked)[0] for each in (out, sample.bundle))
    for mine, theirs in zip(one, other, strict=True):
        assert np.abs(np.asarray(mine) - np.asarray(theirs)).max() < 1e-3
    bare = load_model(sample.bundle.path, TASKS.get(task).auto_class, {}, seed=0)
    assert bare is not None


def test_a_torch_bundle_that_must_not_batch_is_computed_row_by_row(tiny_backbone: Path, tmp_path: Path) -> None:
    sample = write_encoder_bundle(tmp_path / "parent", "classification", tiny_backbone)
    contents = BundleContents(
        *("transformers", "classification", sample.bundle.targets, Golden((), ())),
        {**record_of(rows_of("classification")[1], "classification"), "batches": False},
        model=load_model(sample.bundle.path, TASKS.get("classification").auto_class, {}, seed=0),
        tokenizer=load_tokenizer(sample.bundle.path),
    )
    alone = load(write_bundle(tmp_path / "alone", contents))
    assert alone.engine.endswith("one row at a time")
    sizes: list[int] = []
    network: Any = alone._answerer
    network.network.model.register_forward_pre_hook(
        lambda module, args, given: sizes.append(len(given["input_ids"])), with_kwargs=True
    )
    asked: pa.Table = sample.asked
    told = alone.answers(asked)
    assert sizes == [1] * len(asked)
    assert told == pytest.approx(load(sample.bundle.path).answers(asked), abs=1e-5)
