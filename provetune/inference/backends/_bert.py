"""BERT in plain torch: the same arithmetic as transformers', without loading transformers.

Importing transformers' BERT takes about three seconds, most of a first answer; this takes none. It computes
less, too: queries, keys and values in one product, and for a classifier in the last layer only the first
token, which is all that it reads. Tests hold it to transformers' logits.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


def load_classifier(folder: Path, config: Mapping[str, Any]) -> BertClassifier | None:
    """The classifier in a Hugging Face folder, or None where it is not one that this file computes exactly."""
    weights = _read_weights(folder, config)
    if weights is None or config.get("architectures") != ["BertForSequenceClassification"]:
        return None
    if set(weights) != _names("bert.", config) | _linear("bert.pooler.dense") | _linear("classifier"):
        return None
    return BertClassifier(config, weights).eval()


def load_encoder(folder: Path, config: Mapping[str, Any]) -> BertEncoder | None:
    """The encoder in a Hugging Face folder, a pooler left aside, or None as above."""
    weights = _read_weights(folder, config)
    if weights is None or config.get("architectures") != ["BertModel"]:
        return None
    if set(weights) - _linear("pooler.dense") != _names("", config):
        return None
    return BertEncoder(config, weights, "").eval()


class BertEncoder(nn.Module):
    """Embeddings and encoder layers, for answering only.

    Args:
        config: of the model, as in ``config.json``.
        weights: its tensors under transformers' names.
        prefix: what those names begin with.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor], prefix: str) -> None:
        super().__init__()
        take = _Reader(weights, float(config["layer_norm_eps"]))
        self.words, self.positions, self.types = (
            nn.Parameter(weights[f"{prefix}embeddings.{name}_embeddings.weight"], requires_grad=False)
            for name in ("word", "position", "token_type")
        )
        self.norm = take.norm(f"{prefix}embeddings.LayerNorm")
        heads, tanh = int(config["num_attention_heads"]), _ACTIVATIONS[config["hidden_act"]]
        self.layers = nn.ModuleList(
            _Layer(take, f"{prefix}encoder.layer.{k}", heads, tanh) for k in range(int(config["num_hidden_layers"]))
        )

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> SimpleNamespace:
        """Hidden states (B, T, D) of token numbers (B, T), under ``.last_hidden_state`` as transformers has them."""
        hidden = self.encode(input_ids, attention_mask, token_type_ids, input_ids.shape[1])
        missing = input_ids.shape[1] - hidden.shape[1]
        return SimpleNamespace(last_hidden_state=functional.pad(hidden, (0, 0, 0, missing)))

    def encode(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None, wanted: int
    ) -> torch.Tensor:
        """Last hidden states of each text's first `wanted` tokens, (B, wanted, D).

        Padding is on the right, as `Task.collate` puts it. Columns that are padding in every row are not computed:
        multiples of eight help training, but here they would be a third of the work on short texts.
        """
        length = int(attention_mask.sum(dim=1).max())
        wanted, attention_mask, input_ids = min(wanted, length), attention_mask[:, :length], input_ids[:, :length]
        token_type_ids = None if token_type_ids is None else token_type_ids[:, :length]
        types = self.types[0] if token_type_ids is None else functional.embedding(token_type_ids, self.types)
        hidden: torch.Tensor = self.norm(
            functional.embedding(input_ids, self.words) + (self.positions[:length] + types)
        )
        mask = None
        if not bool(attention_mask.all()):
            hidden_away = (attention_mask == 0)[:, None, None, :]
            mask = torch.zeros(hidden_away.shape, dtype=hidden.dtype, device=hidden.device)
            mask = mask.masked_fill(hidden_away, torch.finfo(hidden.dtype).min)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden, mask, wanted if number == last else length)
        return hidden


class BertClassifier(BertEncoder):
    """`BertEncoder` with the pooler and the classifier of ``BertForSequenceClassification``."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__(config, weights, "bert.")
        take = _Reader(weights, float(config["layer_norm_eps"]))
        self.pooler, self.classifier = take.linear("bert.pooler.dense"), take.linear("classifier")

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> SimpleNamespace:
        """Logits (B, C) of token numbers (B, T), under ``.logits`` as transformers has them."""
        first = self.encode(input_ids, attention_mask, token_type_ids, 1)[:, 0]
        return SimpleNamespace(logits=self.classifier(torch.tanh(self.pooler(first))))


class _Layer(nn.Module):
    """One encoder layer; only its first `wanted` tokens are computed to the end."""

    def __init__(self, take: _Reader, name: str, heads: int, tanh: str) -> None:
        super().__init__()
        self.heads, self.tanh = heads, tanh
        self.inputs = take.linear(*(f"{name}.attention.self.{part}" for part in ("query", "key", "value")))
        # Scores are divided by the root of a head's size; done once to the query's weights instead of every time.
        size = self.inputs.in_features
        for part in (self.inputs.weight, self.inputs.bias):
            part.data[:size] *= (size // heads) ** -0.5
        self.mixed = take.linear(f"{name}.attention.output.dense")
        self.mixed_norm = take.norm(f"{name}.attention.output.LayerNorm")
        self.wide = take.linear(f"{name}.intermediate.dense")
        self.narrow = take.linear(f"{name}.output.dense")
        self.narrow_norm = take.norm(f"{name}.output.LayerNorm")

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor | None, wanted: int) -> torch.Tensor:
        batch, length, size = hidden.shape
        split = self.inputs(hidden).view(batch, length, 3, self.heads, size // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split[0][:, :, :wanted], split[1], split[2]
        scores = torch.matmul(query, key.transpose(-1, -2))
        if mask is not None:
            scores = scores + mask
        mixed = torch.matmul(scores.softmax(dim=-1), value).transpose(1, 2).reshape(batch, wanted, size)
        kept = self.mixed_norm(self.mixed(mixed) + hidden[:, :wanted])
        wide = functional.gelu(self.wide(kept), approximate=self.tanh)
        result: torch.Tensor = self.narrow_norm(self.narrow(wide) + kept)
        return result


class _Reader:
    """Layers made straight of stored tensors, without initialising anything."""

    def __init__(self, weights: Mapping[str, torch.Tensor], epsilon: float) -> None:
        self._weights, self._epsilon = weights, epsilon

    def linear(self, *names: str) -> nn.Linear:
        """One linear layer, or several side by side."""
        weight = torch.cat([self._weights[f"{name}.weight"] for name in names])
        layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        bias = torch.cat([self._weights[f"{name}.bias"] for name in names])
        layer.bias = nn.Parameter(bias, requires_grad=False)
        return layer

    def norm(self, name: str) -> nn.LayerNorm:
        weight = self._weights[f"{name}.weight"]
        layer = nn.LayerNorm(weight.shape[0], eps=self._epsilon, device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        layer.bias = nn.Parameter(self._weights[f"{name}.bias"], requires_grad=False)
        return layer


def _read_weights(folder: Path, config: Mapping[str, Any]) -> dict[str, torch.Tensor] | None:
    """The stored tensors of a plain BERT; position numbers that older transformers wrote are passed over."""
    path = folder / "model.safetensors"
    if not _is_plain(config) or not path.is_file():
        return None
    from safetensors.torch import load_file

    # Weights that are stored in sixteen bits are computed with in fp32, unless that is asked for otherwise.
    return {name: value.float() for name, value in load_file(path).items() if not name.endswith("position_ids")}


def _is_plain(config: Mapping[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and config.get("hidden_act") in _ACTIVATIONS
        and not config.get("is_decoder", False)
        and not config.get("add_cross_attention", False)
    )


def _linear(name: str) -> set[str]:
    return {f"{name}.weight", f"{name}.bias"}


def _names(prefix: str, config: Mapping[str, Any]) -> set[str]:
    """The tensors that the encoder must have, and no others."""
    tables = (f"{prefix}embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type"))
    names = {*tables, *_linear(f"{prefix}embeddings.LayerNorm")}
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    parts += ["attention.output.dense", "attention.output.LayerNorm"]
    parts += ["intermediate.dense", "output.dense", "output.LayerNorm"]
    for k in range(int(config["num_hidden_layers"])):
        for part in parts:
            names |= _linear(f"{prefix}encoder.layer.{k}.{part}")
    return names
