"""Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685), by peft: small matrices beside frozen ones.

Departures from the paper: every linear layer of the encoder is adapted rather than query and value alone, which
small encoders need to keep up with full fine-tuning; head and pooler train whole.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.protocols import LearnsFrom
from provetune.core.suggest import advice

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Task

ADAPTER_NAME = "default"
_ATTENTION = frozenset(
    [
        *("query", "key", "value"),  # BERT, RoBERTa, ELECTRA, ALBERT
        *("q_lin", "k_lin", "v_lin"),  # DistilBERT
        *("query_proj", "key_proj", "value_proj", "in_proj"),  # DeBERTa
        *("q", "k", "v"),  # MPNet, T5
        *("q_proj", "k_proj", "v_proj"),  # LLaMA and its kin
        *("Wqkv", "c_attn", "qkv", "query_key_value", "qkv_proj"),  # ModernBERT, GPT-2, Phi-3: all three in one
    ]
)
_NOT_ADAPTED = ("pooler", "embed", "shared")


class LoraSettings(BaseModel):
    """What `lora` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="Rank of the small matrices.")
    alpha: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="The update is scaled by alpha / rank; auto takes twice the rank."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Dropout before the small matrices.")
    targets: Literal["all", "attention"] | list[str] = Field(
        "all", description="Layers that are adapted: all linear ones, attention's projections, or names."
    )


class Lora:
    """`lora`: the backbone is frozen, low-rank updates and the head train."""

    name = "lora"
    summary = "Low-rank updates beside a frozen backbone; merged afterwards, so prediction costs nothing more."
    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "transformers"
    settings: type[BaseModel] = LoraSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 3,
            "learning_rate": 2e-3,
            "reference_width": 384,
            "batch_rows": 32,
            "weight_decay": 0.0,
            "warmup": 0.06,
        }
    )
    deterministic = False

    def prepare(self, model: torch.nn.Module, settings: LoraSettings, task: Task) -> torch.nn.Module:
        """Wrap the model so that only low-rank updates, head and pooler train.

        The small matrices are drawn from torch's current random state; half of them start at nought, so that the
        wrapped model first answers as the plain one.

        Raises:
            UsageError: the model has no layer of the names asked for.
        """
        from peft import LoraConfig, get_peft_model

        from provetune.models.loading import head_modules

        alpha = 2 * settings.rank if settings.alpha == "auto" else settings.alpha
        targets = find_targets(model, settings.targets)
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=alpha,
            lora_dropout=settings.dropout,
            target_modules=targets,
            fan_in_fan_out=_are_transposed(model, targets),
            modules_to_save=head_modules(model) or None,
            bias="none",
        )
        with _peft_asking_by_old_names():
            wrapped: torch.nn.Module = get_peft_model(model, config, adapter_name=ADAPTER_NAME)
        return wrapped

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """A plain copy of the model with the updates folded in; `model` itself stays as it is."""
        wrapped: Any = copy.deepcopy(model)
        merged: torch.nn.Module = wrapped.merge_and_unload(safe_merge=True)
        return merged

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write ``adapter_model.safetensors`` and ``adapter_config.json``, which `load_adapter` and peft read."""
        wrapped: Any = model
        for config in wrapped.peft_config.values():
            # Where the backbone lay on this machine says nothing to anyone else. (peft would fill in None.)
            config.base_model_name_or_path = ""
        wrapped.save_pretrained(str(folder), safe_serialization=True)
        (Path(folder) / "README.md").unlink(missing_ok=True)


def find_targets(model: torch.nn.Module, wanted: str | list[str]) -> list[str]:
    """Full names of the linear layers to adapt: those of the encoder, never of head, pooler or embeddings.

    Args:
        wanted: ``"all"``, ``"attention"``, or ends of names, e.g. ``["query", "value"]``.

    Raises:
        UsageError: no layer fits.
    """
    linear = _linear_layers(model)
    if wanted == "all":
        found = linear
    elif wanted == "attention":
        found = [name for name in linear if name.rsplit(".", 1)[-1] in _ATTENTION]
    else:
        found = [name for name in linear if any(name == end or name.endswith(f".{end}") for end in wanted)]
    if not found:
        ends = sorted({name.rsplit(".", 1)[-1] for name in linear})
        asked = wanted if isinstance(wanted, str) else wanted[0] if wanted else ""
        raise UsageError(f"This backbone has no linear layer that fits targets {wanted!r}.", hint=advice(asked, ends))
    return found


def load_adapter(model: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """The plain model wrapped with the adapter that `save_adapter` wrote, not to be trained on."""
    from peft import PeftModel

    with _peft_asking_by_old_names():
        wrapped: torch.nn.Module = PeftModel.from_pretrained(model, str(folder), adapter_name=ADAPTER_NAME)
    return wrapped


@contextmanager
def _peft_asking_by_old_names() -> Iterator[None]:
    """peft 0.21 still asks transformers for a property under a name that transformers 5 announces to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


def _are_transposed(model: torch.nn.Module, names: list[str]) -> bool:
    """Whether the weights of these layers lie inputs first, as GPT-2 has them."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(model.get_submodule(name), Conv1D) for name in names)


def _linear_layers(model: torch.nn.Module) -> list[str]:
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


METHOD = Lora()
