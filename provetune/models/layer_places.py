"""Where in a transformer the blocks of a layer end, family by family: what adapters are placed by.

A layer has two blocks (in a decoder that reads an encoder, three): attention and the feed-forward block. Each ends in a
linear layer whose output is added to the block's input. Families normalise the sum (BERT and its kin), or the input of
the next block (LLaMA, T5, ModernBERT).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerPlaces:
    """Patterns of module names, to be found at their end.

    Attributes:
        outputs: linear layers that blocks end in.
        norms: the normalisation of the feed-forward block's sum; None where sums are not normalised.
        sums: modules whose output is the feed-forward block's sum, where that is not normalised.
        gains: every normalisation inside a layer.
    """

    outputs: str
    norms: str | None
    sums: str | None
    gains: str


_BERT = LayerPlaces(
    outputs=r"encoder\.layer\.\d+\.(attention\.)?output\.dense",
    norms=r"encoder\.layer\.\d+\.output\.LayerNorm",
    sums=None,
    gains=r"encoder\.layer\.\d+\.(attention\.)?output\.LayerNorm",
)
_MPNET = LayerPlaces(
    outputs=r"encoder\.layer\.\d+\.(attention\.attn\.o|output\.dense)",
    norms=r"encoder\.layer\.\d+\.output\.LayerNorm",
    sums=None,
    gains=r"encoder\.layer\.\d+\.(attention|output)\.LayerNorm",
)
_DISTILBERT = LayerPlaces(
    outputs=r"transformer\.layer\.\d+\.(attention\.out_lin|ffn\.lin2)",
    norms=r"transformer\.layer\.\d+\.output_layer_norm",
    sums=None,
    gains=r"transformer\.layer\.\d+\.(sa|output)_layer_norm",
)
_MODERNBERT = LayerPlaces(
    outputs=r"layers\.\d+\.(attn|mlp)\.Wo",
    norms=None,
    sums=r"layers\.\d+",
    gains=r"layers\.\d+\.(attn|mlp)_norm",
)
_LLAMA = LayerPlaces(
    outputs=r"layers\.\d+\.(self_attn\.o_proj|mlp\.down_proj)",
    norms=None,
    sums=r"layers\.\d+",
    gains=r"layers\.\d+\.(input|post_attention)_layernorm",
)
_T5 = LayerPlaces(
    outputs=r"block\.\d+\.layer\.\d+\.((Self|EncDec)Attention\.o|DenseReluDense\.wo)",
    norms=None,
    sums=r"(encoder\.block\.\d+\.layer\.1|decoder\.block\.\d+\.layer\.2)",
    gains=r"block\.\d+\.layer\.\d+\.layer_norm",
)
_BART = LayerPlaces(
    outputs=r"layers\.\d+\.((self_attn|encoder_attn)\.out_proj|fc2)",
    norms=r"layers\.\d+\.final_layer_norm",
    sums=None,
    gains=r"layers\.\d+\.(self_attn|encoder_attn|final)_layer_norm",
)

PLACES: Mapping[str, LayerPlaces] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta", "deberta-v2"), _BERT),
    "mpnet": _MPNET,
    "distilbert": _DISTILBERT,
    "modernbert": _MODERNBERT,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _LLAMA),
    **dict.fromkeys(("t5", "mt5"), _T5),
    **dict.fromkeys(("bart", "marian"), _BART),
}
"""By transformers' model type."""


def refuse_family(family: str, known: Iterable[str], what: str) -> None:
    """Refuse a family of backbones that something is not known for; an empty name passes.

    Args:
        known: the families that it is known for.
        what: the method, in words, to begin a sentence with.

    Raises:
        UsageError: names the families that would work.
    """
    families = sorted(known)
    if family and family not in families:
        raise UsageError(
            f"{what} does not work with backbones of the family '{family}'.",
            hint=f"It works with {', '.join(families)}; lora and full work with every family.",
        )


def places_of(model: torch.nn.Module) -> LayerPlaces:
    """The places of a transformers model.

    Raises:
        UsageError: they are not known for its family.
    """
    family = str(model.config.model_type)  # type: ignore[union-attr]
    refuse_family(family, PLACES, "An adapter")
    return PLACES[family]


def modules_at(model: torch.nn.Module, pattern: str) -> list[tuple[str, torch.nn.Module]]:
    """Modules whose name ends in `pattern`, in the model's order."""
    ending = re.compile(rf"(^|\.)({pattern})$")
    return [(name, module) for name, module in model.named_modules() if ending.search(name)]
