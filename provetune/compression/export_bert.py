"""BERT as a graph of ONNX Runtime's fused operators, written from its weights.

A tracer's graph computes the same with some four hundred nodes. This one has a dozen a layer: queries, keys and values
come of one product, attention, residual with norm and activation are one operator each, and a classifier reads only
the first token, so that in the last layer no other is computed to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from provetune.compression.export_graph import OUTPUT, RUNTIME, GraphWriter, finish_graph

if TYPE_CHECKING:
    import onnx

    from provetune.core.protocols import Array

Reads = Literal["classifier", "tokens", "mean", "first"]
"""What is read out: the pooled first token through the output layer; every token through it; or a vector of length
one, the mean of the tokens or the first of them."""

_ACTIVATIONS = {"gelu": "BiasGelu", "gelu_new": "FastGelu", "gelu_pytorch_tanh": "FastGelu"}
_LEAST_NORM = 1e-12


@dataclass(frozen=True)
class _Bert:
    """What all parts of the graph are written with."""

    graph: GraphWriter
    weights: Mapping[str, Array]
    config: Mapping[str, Any]
    prefix: str

    def matrix(self, name: str, *parts: str) -> str:
        """Weights of one or several linear layers side by side, as a product takes them: (K, N)."""
        full = [f"{self.prefix}{part}" for part in parts] or [name]
        return self.graph.keep(f"{name}.weight", np.concatenate([self.weights[f"{one}.weight"] for one in full]).T)

    def vector(self, name: str, *parts: str) -> str:
        full = [f"{self.prefix}{part}" for part in parts] or [name]
        return self.graph.keep(f"{name}.bias", np.concatenate([self.weights[f"{one}.bias"] for one in full]))

    def product(self, hidden: str, name: str, *parts: str) -> str:
        found: str = self.graph.node("MatMul", [hidden, self.matrix(name, *parts)])
        return found

    def skip_norm(self, hidden: str, skip: str, dense: str, norm: str) -> str:
        """Layer norm of the sum of a product, the bias of its layer, and what went round it."""
        scale = self.graph.keep(f"{norm}.weight", self.weights[f"{self.prefix}{norm}.weight"])
        shift = self.graph.keep(f"{norm}.bias", self.weights[f"{self.prefix}{norm}.bias"])
        found: str = self.graph.node(
            "SkipLayerNormalization",
            [hidden, skip, scale, shift, self.vector(dense, dense)],
            domain=RUNTIME,
            epsilon=float(self.config["layer_norm_eps"]),
        )
        return found


def takes_bert(config: Mapping[str, Any], weights: Mapping[str, Array], reads: Reads) -> bool:
    """Whether this file computes the model exactly: a plain BERT with the parts that `reads` needs, and no others."""
    plain = (
        config.get("model_type") == "bert"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and config.get("hidden_act") in _ACTIVATIONS
        and not config.get("is_decoder", False)
        and not config.get("add_cross_attention", False)
    )
    if not plain:
        return False
    prefix = _prefix(reads)
    known = {f"{prefix}{name}" for name in _names(int(config["num_hidden_layers"]))}
    output = output_name(weights)
    if reads in ("classifier", "tokens"):
        if output is None:
            return False
        known |= _linear(output)
    pooler = _linear(f"{prefix}pooler.dense")
    if reads == "classifier":
        known |= pooler
    missing, foreign = known - set(weights), set(weights) - known - pooler
    return not missing and not foreign


def output_name(weights: Mapping[str, Array]) -> str | None:
    """Name of the output layer: ``classifier``, or ``qa_outputs``."""
    return next((name for name in ("classifier", "qa_outputs") if f"{name}.weight" in weights), None)


def write_bert(
    config: Mapping[str, Any], weights: Mapping[str, Array], reads: Reads, *, typed: bool
) -> onnx.ModelProto:
    """The graph of a model that `takes_bert`.

    Args:
        config: as in ``config.json``.
        weights: float32 arrays under transformers' names. A layer may have fewer heads or a narrower middle than
            `config` says: shapes are those of the weights.
        typed: whether there is an input ``token_type_ids``; without it all tokens are of the first text.

    Returns:
        A model with the inputs ``input_ids``, ``attention_mask`` and ``token_type_ids`` (int64, (B, T)) and the output
        ``output``, float32: (B, C), (B, T, C) or (B, D).
    """
    graph = GraphWriter()
    bert = _Bert(graph, weights, config, _prefix(reads))
    hidden = _embeddings(bert, typed)
    mask = graph.node("Cast", ["attention_mask"], to=6)  # int32
    layers = int(config["num_hidden_layers"])
    first_alone = reads in ("classifier", "first")
    for number in range(layers):
        hidden = _layer(bert, hidden, mask, f"encoder.layer.{number}", first_alone and number == layers - 1)
    shape = _read_out(bert, hidden, reads)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])]
    return finish_graph(graph, inputs, shape)


def _embeddings(bert: _Bert, typed: bool) -> str:
    graph, weights = bert.graph, bert.weights
    words, places, types = (
        weights[f"{bert.prefix}embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    found = graph.node("Gather", [graph.keep("embeddings.words", words), "input_ids"])
    length = graph.node("Shape", ["input_ids"], start=1, end=2)
    table = graph.keep("embeddings.places", places if typed else places + types[0])
    beside = graph.node("Slice", [table, graph.number("zero", 0), length, graph.number("axis", 0)])
    if typed:
        kinds = graph.node("Gather", [graph.keep("embeddings.types", types), "token_type_ids"])
        beside = graph.node("Add", [kinds, beside])
    scale, shift = (
        graph.keep(f"embeddings.norm.{part}", weights[f"{bert.prefix}embeddings.LayerNorm.{part}"])
        for part in ("weight", "bias")
    )
    normed: str = graph.node(
        "LayerNormalization",
        [graph.node("Add", [found, beside]), scale, shift],
        epsilon=float(bert.config["layer_norm_eps"]),
    )
    return normed


def _layer(bert: _Bert, hidden: str, mask: str, name: str, first_alone: bool) -> str:
    graph, parts = bert.graph, [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    width = bert.weights[f"{bert.prefix}{parts[0]}.weight"].shape[0]
    heads = width // (int(bert.config["hidden_size"]) // int(bert.config["num_attention_heads"]))
    kept = hidden
    if first_alone:
        ends = [graph.number(f"{name}.{part}", number) for part, number in (("from", 0), ("to", 1), ("axis", 1))]
        kept = graph.node("Slice", [hidden, *ends])
        query = bert.product(kept, f"{name}.query", parts[0])
        sizes = graph.number(f"{name}.sizes", width, width)
        both = bert.product(hidden, f"{name}.key_value", *parts[1:])
        key, value = graph.node("Split", [both, sizes], outputs=2, axis=2)
    else:
        sizes = graph.number(f"{name}.sizes", width, width, width)
        split = bert.product(hidden, f"{name}.query_key_value", *parts)
        query, key, value = graph.node("Split", [split, sizes], outputs=3, axis=2)
    bias = bert.vector(f"{name}.query_key_value", *parts)
    mixed = graph.node("MultiHeadAttention", [query, key, value, bias, mask], domain=RUNTIME, num_heads=heads)
    dense = f"{name}.attention.output.dense"
    kept = bert.skip_norm(bert.product(mixed, dense, dense), kept, dense, f"{name}.attention.output.LayerNorm")
    wide = bert.product(kept, f"{name}.intermediate.dense", f"{name}.intermediate.dense")
    shift = bert.vector(f"{name}.intermediate.dense", f"{name}.intermediate.dense")
    wide = graph.node(_ACTIVATIONS[bert.config["hidden_act"]], [wide, shift], domain=RUNTIME)
    dense = f"{name}.output.dense"
    return bert.skip_norm(bert.product(wide, dense, dense), kept, dense, f"{name}.output.LayerNorm")


def _read_out(bert: _Bert, hidden: str, reads: Reads) -> list[int | str]:
    """Add what is read from the last hidden states (B, T, D), or (B, 1, D); returns the output's shape."""
    graph = bert.graph
    if reads in ("classifier", "tokens"):
        name = str(output_name(bert.weights))
        count = int(bert.weights[f"{name}.weight"].shape[0])
        if reads == "classifier":
            first = graph.node("Squeeze", [hidden, graph.number("one", 1)])
            pooled = bert.product(first, "pooler.dense", "pooler.dense")
            pooled = graph.node("Add", [pooled, bert.vector("pooler.dense", "pooler.dense")])
            hidden = graph.node("Tanh", [pooled])
        graph.node("Add", [bert.product(hidden, name), bert.vector(name)], outputs=[OUTPUT])
        return ["batch", count] if reads == "classifier" else ["batch", "length", count]
    axis = graph.number("one", 1)
    if reads == "first":
        total = graph.node("Squeeze", [hidden, axis])
    else:
        counted = graph.node("Unsqueeze", [graph.node("Cast", ["attention_mask"], to=1), graph.number("last", 2)])
        total = graph.node("ReduceSum", [graph.node("Mul", [hidden, counted]), axis], keepdims=0)
    norm = graph.node("ReduceL2", [total, axis], keepdims=1)
    least = graph.keep("least", np.asarray(_LEAST_NORM, dtype=np.float32))
    graph.node("Div", [total, graph.node("Max", [norm, least])], outputs=[OUTPUT])
    return ["batch", int(bert.config["hidden_size"])]


def _prefix(reads: Reads) -> str:
    return "bert." if reads in ("classifier", "tokens") else ""


def _linear(name: str) -> set[str]:
    return {f"{name}.weight", f"{name}.bias"}


def _names(layers: int) -> set[str]:
    names = {f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")}
    names |= _linear("embeddings.LayerNorm")
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    parts += ["attention.output.dense", "attention.output.LayerNorm"]
    parts += ["intermediate.dense", "output.dense", "output.LayerNorm"]
    for k in range(layers):
        for part in parts:
            names |= _linear(f"encoder.layer.{k}.{part}")
    return names
