"""A masked language model from any encoder: its own head where it has one, else a new one tied to its embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import CorruptError, UsageError
from provetune.models.loading import quiet_transformers
from provetune.models.weights import SAFETENSORS

if TYPE_CHECKING:
    import torch

    from provetune.models.backbones import Backbone

# Of these the head is one module that takes hidden states of any shape to logits.
_HEADS = {"bert": "cls", "roberta": "lm_head", "xlm-roberta": "lm_head", "camembert": "lm_head", "mpnet": "lm_head"}
_POOLER = "pooler."


def refuse_unless_encoder(backbone: Backbone, what: str) -> None:
    """Refuse what has no masked language model.

    Raises:
        UsageError: it is a decoder, or an encoder-decoder.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if backbone.family not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or _says(backbone, "is_encoder_decoder", "is_decoder"):
        raise UsageError(
            f"The objective '{what}' works with encoders. '{backbone.name}' ({backbone.family}) is none.",
            hint="Take another backbone, or objective clm for a decoder.",
        )


def refuse_unless_decoder(backbone: Backbone, what: str) -> None:
    """Refuse what does not go on with a text.

    Raises:
        UsageError: it is an encoder, or an encoder-decoder.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    decodes = backbone.family in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not _says(backbone, "is_encoder_decoder")
    if not decodes or (backbone.family in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not _says(backbone, "is_decoder")):
        raise UsageError(
            f"The objective '{what}' works with decoders. '{backbone.name}' ({backbone.family}) is none.",
            hint="Take another backbone, or objective mlm or simcse for an encoder.",
        )


def load_masked_model(path: Path, seed: int, device: str) -> tuple[Any, bool]:
    """The model in fp32, and whether its head is new.

    A new head's output layer shares its weights with the token embeddings; the rest of it is drawn from `seed`.

    Raises:
        CorruptError: the weights lack parts of the backbone, or cannot be read.
    """
    import torch
    import transformers
    from safetensors import SafetensorError

    try:
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % (1 << 63))
            config = transformers.AutoConfig.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
            config.tie_word_embeddings = True
            model, report = transformers.AutoModelForMaskedLM.from_pretrained(
                str(path),
                config=config,
                dtype=torch.float32,
                attn_implementation="eager" if torch.device(device).type == "cpu" else "sdpa",
                use_safetensors=any(path.glob("*.safetensors")),
                weights_only=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, KeyError, SafetensorError) as error:
        line = str(error).strip().split("\n")[0].rstrip(".")
        raise CorruptError(f"The model cannot be read ({line}).", where=str(path)) from error
    prefix = f"{model.base_model_prefix}."
    missing = sorted(report["missing_keys"])
    if lost := [name for name in missing if name.startswith(prefix) and f".{_POOLER}" not in name]:
        raise CorruptError(f"The weights lack {len(lost)} parts of the model, e.g. '{lost[0]}'.", where=str(path))
    return model.to(device).eval(), any(name.endswith(".weight") and not name.startswith(prefix) for name in missing)


def masked_logits(model: Any, batch: dict[str, torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    """Logits (M, V) at the M wanted places, bool (B, T); others are not computed where the family allows it."""
    head = getattr(model, _HEADS.get(model.config.model_type, ""), None)
    if head is None:
        logits: torch.Tensor = model(**batch).logits[wanted]
        return logits
    hidden = model.base_model(**batch).last_hidden_state
    found: torch.Tensor = head(hidden[wanted])
    return found


def save_masked_model(model: Any, folder: Path, source: Path) -> None:
    """Write the model, and the source's pooler, which a masked language model has none of, beside it."""
    from safetensors.torch import load_file, save_file

    with quiet_transformers():
        model.save_pretrained(str(folder))
    file, start = folder / SAFETENSORS, f"{model.base_model_prefix}."
    poolers: dict[str, torch.Tensor] = {}
    for each in sorted(source.glob("*.safetensors")):
        found = {name: value for name, value in load_file(each).items() if f".{_POOLER}" in f".{name}"}
        poolers |= {f"{start}{name.removeprefix(start)}": value.float() for name, value in found.items()}
    if poolers:
        save_file({**load_file(file), **poolers}, str(file), metadata={"format": "pt"})


def _says(backbone: Backbone, *names: str) -> bool:
    from provetune.core.files import read_json

    config = read_json(backbone.path / "config.json")
    return any(bool(config.get(name)) for name in names)
