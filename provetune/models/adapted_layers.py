"""Which linear layers of a backbone a method adapts: those of its layers, never of head, pooler or embeddings.

They are named in full. Endings alone would do for one family and catch a head's layer in another (``dense`` of a token
classification head, say), and "every linear layer" takes the head itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    from pathlib import Path

    import torch

Wanted: TypeAlias = "Literal['all', 'attention'] | list[str]"

_ATTENTION = frozenset(
    [
        *("query", "key", "value"),  # BERT, RoBERTa, ELECTRA, ALBERT
        *("q_lin", "k_lin", "v_lin"),  # DistilBERT
        *("query_proj", "key_proj", "value_proj", "in_proj"),  # DeBERTa
        *("q", "k", "v"),  # MPNet, T5
        *("q_proj", "k_proj", "v_proj"),  # LLaMA, BART and their kin
        *("Wqkv", "c_attn", "qkv", "query_key_value", "qkv_proj"),  # ModernBERT, GPT-2, Phi-3: all three in one
    ]
)
_NOT_ADAPTED = ("pooler", "embed", "shared")


def find_targets(model: torch.nn.Module, wanted: Wanted) -> list[str]:
    """Full names of the linear layers to adapt.

    Args:
        wanted: ``"all"``, ``"attention"`` (its projections of queries, keys and values), or ends of names, e.g.
            ``["query", "value"]``.

    Raises:
        UsageError: no layer fits.
    """
    linear = linear_layers(model)
    if wanted == "all":
        found = linear
    elif wanted == "attention":
        found = [name for name in linear if name.rsplit(".", 1)[-1] in _ATTENTION]
    else:
        found = [name for name in linear if any(_ends(name, end) for end in wanted)]
    lacking = [] if isinstance(wanted, str) else [end for end in wanted if not any(_ends(name, end) for name in found)]
    if lacking or not found:
        ends = sorted({name.rsplit(".", 1)[-1] for name in linear})
        asked = lacking[0] if lacking else str(wanted)
        raise UsageError(f"This backbone has no linear layer '{asked}'.", hint=advice(asked, ends))
    return found


def check_targets(folder: Path, auto_class: str, wanted: Wanted) -> None:
    """Whether `find_targets` finds all of these in the backbone of a folder, without reading its weights.

    Args:
        auto_class: transformers' class of the model that is going to be adapted.

    Raises:
        UsageError: it does not.
    """
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = getattr(transformers, auto_class).from_config(config)
    find_targets(model, wanted)


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def linear_layers(model: torch.nn.Module) -> list[str]:
    """Full names of the linear layers inside the backbone, in the model's order."""
    import torch
    from transformers.pytorch_utils import Conv1D

    getter = getattr(model, "get_output_embeddings", None)
    output = getter() if getter is not None else None
    prefix = str(getattr(model, "base_model_prefix", ""))
    start = f"{prefix}." if prefix and hasattr(model, prefix) else ""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not output
        and name.startswith(start)
        and not any(part.startswith(_NOT_ADAPTED) for part in name.split("."))
    ]


def are_transposed(model: torch.nn.Module, names: list[str]) -> bool:
    """Whether the weights of these layers lie inputs first, as GPT-2 has them."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(model.get_submodule(name), Conv1D) for name in names)
