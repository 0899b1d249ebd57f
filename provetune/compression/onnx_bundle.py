"""What the steps that make ONNX bundles share: the parent's graph, and the files and record of what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.compression.exporting import EXPORTED, Exported, export_bundle, refusal, sample_features
from provetune.compression.step import Given, Made

if TYPE_CHECKING:
    from provetune.compression.quantise_graph import Way
    from provetune.compression.quantise_ways import Ranges
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle

KIND = "onnx"
TAKES = (*EXPORTED, KIND)
"""Bundle kinds that can be quantised: what can be exported, and what was."""
CONFIG_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_HEAD_FILES = ("head.safetensors", "head.json")


def graph_of(given: Given) -> Exported:
    """The parent's graph in fp32: exported, or read where it is an ONNX bundle already."""
    if given.bundle.kind != KIND:
        return export_bundle(given)
    import onnx

    from provetune.inference.backends._graph import FILE
    from provetune.inference.backends.onnx import FIELD

    facts = given.bundle.record[FIELD]
    model = onnx.load_model(str(given.bundle.path / FILE), load_external_data=False)
    return Exported(model, bool(facts["each_token"]), bool(facts["head"]), "as it was", 0.0)


def why_not_quantised(bundle: Bundle, task: Task) -> str | None:
    """Why a bundle's graph cannot be made int8, in one line; None where nothing is in the way."""
    from provetune.inference.backends.onnx import WEIGHTS

    if bundle.kind != KIND:
        return refusal(task, bundle.kind)
    weights = str(bundle.record.get(WEIGHTS) or "fp32")
    return None if weights == "fp32" else f"This bundle is in {weights} already; take the one that it was made from."


def quantised(given: Given, power: float, rows: int, make: Callable[[Ranges | None], Way]) -> Made:
    """The parent's graph in int8.

    Args:
        power: see `provetune.compression.quantise_numbers.balance`.
        rows: training rows that activations are looked at in; 0 looks at none.
        make: the way that activations become whole numbers, from their ranges (None where none were looked at).
    """
    from provetune.compression.activation_ranges import measure_ranges
    from provetune.compression.quantise_graph import choose_products, quantise
    from provetune.core.files import read_json
    from provetune.inference.backends._tokenizer import FolderTokenizer

    found = graph_of(given)
    ranges = None
    seen = 0
    if rows:
        folder = given.bundle.model_path
        config = read_json(folder / "config.json")
        features = sample_features(given, FolderTokenizer(folder, config), rows)
        names = [one.taken for one in choose_products(found.model)[0]]
        seen = len(features)
        ranges = measure_ranges(
            found.model,
            names,
            features,
            int(config.get("pad_token_id") or 0),
            threads=given.threads,
            tell=lambda done: given.say("looking at activations", done, seen),
        )
    given.say("rounding weights", 0, 1)
    result = quantise(found.model, make(ranges))
    notes = {
        "products": result.products,
        "tables": result.tables,
        "kept_in_fp32": list(result.kept),
        "rows_looked_at": seen,
        "balance": power if ranges is not None else 0.0,
    }
    return made_of(given, found, result.model, weights="int8", notes=notes)


def made_of(
    given: Given, exported: Exported, model: Any, *, weights: str, notes: Mapping[str, Any] | None = None
) -> Made:
    """A derivative of the kind ``onnx``.

    Args:
        model: the graph that is kept; `exported` says how it is read.
        weights: number format of its products.
    """
    from provetune.compression.export_graph import parameters
    from provetune.inference.backends.onnx import FIELD, WEIGHTS

    record: dict[str, Any] = {FIELD: {"each_token": exported.each_token, "head": exported.head}}
    if weights != "fp32":
        record[WEIGHTS] = weights
    told = {
        "graph": exported.how,
        "difference_from_torch": exported.difference,
        "nodes": len(model.graph.node),
        "bytes": dict(parameters(model)),
        **(notes or {}),
    }
    names = (*CONFIG_FILES, *(_HEAD_FILES if exported.head else ()))
    sources = [given.bundle.model_path / name for name in CONFIG_FILES]
    if exported.head:
        sources += [given.bundle.path / name for name in _HEAD_FILES]
    kept = {name: place.read_bytes() for name, place in zip(names, sources, strict=True) if place.is_file()}
    return Made(KIND, furnish=_writer(model, kept), record=record, notes=told)


def _writer(model: Any, kept: Mapping[str, bytes]) -> Callable[[Path], None]:
    from provetune.core.files import write_bytes
    from provetune.inference.backends._graph import FILE

    def furnish(folder: Path) -> None:
        write_bytes(folder / FILE, model.SerializeToString())
        for name, content in kept.items():
            write_bytes(folder / name, content)

    return furnish
