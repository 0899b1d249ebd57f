"""Another dropout than a backbone's own: of its hidden states, of its attention, and of the head.

Families call them differently; what a model reads from its configuration is set there before it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from provetune.core.errors import UsageError

HIDDEN, ATTENTION, HEAD = "hidden_dropout", "attention_dropout", "head_dropout"

_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        HIDDEN: (
            *("hidden_dropout_prob", "hidden_dropout", "dropout", "dropout_rate"),  # BERT and kin, Marian, T5
            *("resid_pdrop", "embd_pdrop"),  # GPT-2
            *("embedding_dropout", "mlp_dropout"),  # ModernBERT
        ),
        ATTENTION: ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"),
        HEAD: (
            *("classifier_dropout", "classifier_dropout_prob", "cls_dropout"),  # BERT and kin, ALBERT, DeBERTa
            "seq_classif_dropout",  # DistilBERT
        ),
    }
)


def set_dropouts(config: Any, wanted: Mapping[str, float]) -> None:
    """Write shares into a transformers configuration.

    Args:
        wanted: some of ``hidden_dropout``, ``attention_dropout`` and ``head_dropout``, each from 0 to under 1. Where a
            family's head has no dropout of its own it has that of the hidden states.

    Raises:
        UsageError: this family knows no such dropout.
    """
    for name, share in wanted.items():
        own = [field for field in _FIELDS[name] if hasattr(config, field)]
        if not own:
            known = [each for each, fields in _FIELDS.items() if any(hasattr(config, field) for field in fields)]
            raise UsageError(
                f"Backbones of the family '{config.model_type}' have no {name}.",
                hint=f"They have {' and '.join(known)}." if known else "They have no dropout at all: leave it out.",
            )
        for field in own:
            setattr(config, field, float(share))


def check_dropouts(folder: Path | str, wanted: Mapping[str, float]) -> None:
    """Whether `set_dropouts` can be done for the backbone in a folder, without loading it.

    Raises:
        UsageError: it cannot.
    """
    if not wanted:
        return
    from transformers import AutoConfig

    set_dropouts(AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False), wanted)


def drops_anything(folder: Path | str, wanted: Mapping[str, float]) -> bool:
    """Whether a model made of the configuration in a folder has dropout anywhere.

    Args:
        wanted: as in `set_dropouts`; they take the place of what the configuration says.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    set_dropouts(config, wanted)
    return any("drop" in name and isinstance(share, float) and share > 0 for name, share in config.to_dict().items())


def named_dropouts(settings: Mapping[str, Any]) -> dict[str, float]:
    """The dropouts that a candidate's settings name; those left at ``auto`` are the backbone's own."""
    return {name: float(settings[name]) for name in _FIELDS if settings.get(name, "auto") != "auto"}
