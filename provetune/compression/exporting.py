"""A bundle's model as an ONNX graph that gives what torch gives.

A plain BERT is written as a graph of fused operators (`provetune.compression.export_bert`); every other family is
traced by torch. Either is held against the model on training rows, alone, together and padded: what differs by more
than 1e-4 is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import Refused, UsageError
from provetune.core.protocols import EncodeSettings, Infers, Traces

if TYPE_CHECKING:
    import onnx
    import torch

    from provetune.compression.export_bert import Reads
    from provetune.compression.step import Given
    from provetune.core.protocols import Array, FeatureColumns, Task

TOLERANCE = 1e-4
"""Largest difference of an output from torch's, relative to 1 or to the output where that is larger."""
ROWS = 12
_ARCHITECTURES: Mapping[str, tuple[Reads, ...]] = {
    "BertForSequenceClassification": ("classifier",),
    "BertForTokenClassification": ("tokens",),
    "BertForQuestionAnswering": ("tokens",),
    "BertModel": ("mean", "first"),
}
_UNTRACEABLE = (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError, NotImplementedError)
"""What torch's exporters raise where they cannot trace a model."""
FROZEN, ADAPTED = "frozen_encoder", "adapted"
EXPORTED = ("transformers", ADAPTED, FROZEN)


@dataclass(frozen=True)
class Exported:
    """A graph and what is known of it.

    Attributes:
        model: in fp32.
        each_token: its output has a place for every token.
        head: its output is a feature, on which the bundle's ``head.safetensors`` stands.
        how: ``"fused"`` or ``"traced"``.
        difference: largest difference from torch, relative to 1 or to the output where that is larger.
    """

    model: onnx.ModelProto
    each_token: bool
    head: bool
    how: str
    difference: float


def refusal(task: Task, kind: str) -> str | None:
    """Why a bundle cannot become a graph, in one line; None where nothing is in the way."""
    if kind not in EXPORTED:
        return (
            f"A bundle of the kind '{kind}' is no single encoder and cannot be exported to ONNX; it is served as it is."
        )
    if isinstance(task, Infers) and not isinstance(task, Traces):
        return (
            f"A bundle of the task '{task.name}' writes its answers token by token and is not exported to ONNX: torch "
            "serves it; the steps bf16 and fp16 make it half as large."
        )
    return None


def export_bundle(given: Given) -> Exported:
    """The bundle's model as a graph.

    Raises:
        UsageError: it cannot become one, or there are no rows to compare it on.
        Refused: no graph gives what torch gives.
    """
    if (why := refusal(given.task, given.bundle.kind)) is not None:
        raise UsageError(why, where=str(given.bundle.path))
    frozen = given.bundle.kind == FROZEN
    model, tokenizer = _load(given, frozen)
    features = sample_features(given, tokenizer, ROWS)
    read = _reader(given, frozen)
    each_token = isinstance(given.task, Traces) and given.task.each_token and not frozen
    pad_id = int(model.config.pad_token_id or 0)
    trial = _Trial(model, read, features, pad_id, each_token)
    for how, make in _ways(given.bundle.model_path, model, trial):
        given.say(f"exporting the model ({how})", 0, 1)
        found = make()
        if found is not None and (difference := trial.difference(found)) <= TOLERANCE:
            return Exported(found, each_token, frozen, how, difference)
    family = getattr(model.config, "model_type", type(model).__name__)
    raise Refused(
        f"No ONNX graph of this model (family '{family}') gives what torch gives.",
        where=str(given.bundle.path),
        hint="Serve it as it is, by torch; the steps bf16 and fp16 make it half as large.",
    )


def sample_features(given: Given, tokenizer: Any, count: int) -> list[dict[str, Any]]:
    """Features of up to `count` training rows, drawn by the seed, as they are when a row is asked.

    Raises:
        UsageError: there are no training rows.
    """
    from provetune.models.feature_table import FeatureTable

    if not len(given.train):
        raise UsageError("There are no training rows to compare the graph on.", where=str(given.bundle.path))
    drawn = np.random.default_rng(given.seed).permutation(len(given.train))[:count]
    rows = given.train.take(np.sort(drawn))
    settings = EncodeSettings(**given.bundle.record["encode"])
    store: FeatureColumns = FeatureTable(given.task.encode(rows, tokenizer, settings, None))
    return store.take(range(len(store)))


def _load(given: Given, frozen: bool) -> tuple[Any, Any]:
    from provetune.models.features import load_encoder
    from provetune.models.loading import load_model, load_tokenizer

    path = given.bundle.model_path
    if given.bundle.kind == ADAPTED:
        from provetune.inference.backends import BACKENDS

        # What was added to the model becomes a part of the graph like any other.
        whole: Any = BACKENDS.get(ADAPTED).open(given.bundle, given.task, precision="fp32", device="cpu")
        return whole.network.model.eval(), load_tokenizer(path)
    model = load_encoder(path) if frozen else load_model(path, given.task.auto_class, {}, seed=0)
    return model.eval(), load_tokenizer(path)


def _reader(given: Given, frozen: bool) -> Callable[[torch.nn.Module, Mapping[str, torch.Tensor]], torch.Tensor]:
    """What the bundle's answers are made of, as one tensor of a batch."""
    from provetune.models.features import read_mean

    task, targets = given.task, given.bundle.targets

    def read(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        if frozen:
            return read_mean(model(**batch), batch)
        if isinstance(task, Traces):
            return task.traced(model, batch, targets)
        logits: torch.Tensor = model(**batch).logits
        return logits

    return read


class _Trial:
    """Sample rows and what torch says about them: alone, and together with the longest in their midst."""

    def __init__(self, model: Any, read: Any, features: list[dict[str, Any]], pad_id: int, each_token: bool) -> None:
        import torch

        from provetune.models.padding import pad_arrays

        self.model, self.read, self.each_token, self.pad_id = model, read, each_token, pad_id
        # A row alone and the shortest with the longest: other numbers of rows, other lengths, and padding.
        order = sorted(range(len(features)), key=lambda k: len(features[k]["input_ids"]))
        self.groups = [[features[order[0]]], [features[order[-1]], features[order[0]]], features]
        arrays = [pad_arrays(group, pad_id) for group in self.groups]
        self.batches = [{name: torch.from_numpy(values) for name, values in one.items()} for one in arrays]
        with torch.inference_mode():
            self.wanted = [read(model, batch).float().numpy() for batch in self.batches]

    @property
    def typed(self) -> bool:
        return "token_type_ids" in self.batches[0]

    def difference(self, found: onnx.ModelProto) -> float:
        """Largest difference of the graph's outputs, places of padding left out."""
        from onnxruntime.capi import onnxruntime_pybind11_state as faults

        from provetune.core.errors import CorruptError
        from provetune.inference.backends._graph import Graph

        try:
            graph = Graph(found.SerializeToString(), 1)
            outputs = [graph.ask(group, self.pad_id) for group in self.groups]
        except (CorruptError, RuntimeError, faults.Fail, faults.InvalidArgument, faults.RuntimeException):
            # A number of rows or of tokens is written into it, or it holds what the runtime has not.
            return float("inf")
        pairs = zip(outputs, self.wanted, self.batches, strict=True)
        return max(self._apart(one, wanted, batch) for one, wanted, batch in pairs)

    def _apart(self, found: Array, wanted: Array, batch: Mapping[str, Any]) -> float:
        if found.shape != wanted.shape or not np.isfinite(found).all():
            return float("inf")
        apart = np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))
        if self.each_token:
            apart = apart[batch["attention_mask"].numpy().astype(bool)]
        return float(apart.max())


def _ways(folder: Path, model: Any, trial: _Trial) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways to make a graph, the fastest to answer first."""
    from provetune.compression.export_bert import takes_bert, write_bert
    from provetune.compression.export_traced import trace_model
    from provetune.core.files import read_json

    config = read_json(folder / "config.json")
    weights = {
        name: value.detach().float().numpy()
        for name, value in model.state_dict().items()
        if not name.endswith("position_ids")
    }
    for reads in _ARCHITECTURES.get(type(model).__name__, ()):
        if takes_bert(config, weights, reads):
            yield "fused", partial(write_bert, config, weights, reads, typed=trial.typed)

    def traced(by_script: bool) -> Any:
        try:
            return trace_model(model, trial.read, trial.batches[-1], each_token=trial.each_token, by_script=by_script)
        except _UNTRACEABLE:
            return None

    yield "traced", lambda: traced(True)
    yield "traced anew", lambda: traced(False)
