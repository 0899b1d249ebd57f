"""A torch network out of a bundle's folder, ready to answer: what the torch backends set up alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import read_json
from provetune.inference.backends._tokenizer import FolderTokenizer

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 2048
BATCHES = "batches"
"""Field of a record that is false where an answer would depend on what else is asked at the same time."""
ONE_BY_ONE = ", one row at a time"


@dataclass(frozen=True)
class Network:
    """A network on its device, in its number format, with its tokenizer.

    Attributes:
        pad_id: number of the token that fills short rows.
        precision: ``"fp32"`` or ``"bf16"``.
        engine: what computes, in words.
    """

    model: torch.nn.Module
    tokenizer: Any
    pad_id: int
    precision: str
    device: str
    engine: str


def tokens_together(record: Mapping[str, Any]) -> int:
    """Tokens of a batch at most; so few that rows go one by one where a bundle's record says that they must."""
    return 1 if record.get(BATCHES) is False else BATCH_TOKENS


def open_network(
    folder: Path,
    *,
    precision: str,
    device: str,
    plain: Callable[[Path, dict[str, Any]], torch.nn.Module | None],
    transformers: Callable[[Path, str], torch.nn.Module],
    whole_tokenizer: bool = False,
) -> Network:
    """Load the network of a Hugging Face folder.

    Args:
        precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
        plain: makes our own network from the folder and its configuration, or None for a family we have none of.
        transformers: makes the transformers class's network from the folder, on a device.
        whole_tokenizer: transformers' own tokenizer, which tasks need that do more than cut texts into pieces.
    """
    import torch

    from provetune.models.devices import settle_device
    from provetune.models.loading import load_tokenizer
    from provetune.models.precision import choose_precision

    device = settle_device(device)
    chosen = choose_precision(precision, device).name
    config = read_json(folder / "config.json")
    model = plain(folder, config)
    engine = "torch"
    if model is None:
        model, engine = transformers(folder, device), "transformers"
    model = model.to(device=device, dtype=torch.bfloat16 if chosen == "bf16" else torch.float32).eval()
    return Network(
        model=model,
        tokenizer=load_tokenizer(str(folder)) if whole_tokenizer else FolderTokenizer(folder, config),
        pad_id=int(config.get("pad_token_id") or 0),
        precision=chosen,
        device=device,
        engine=f"{engine} {torch.__version__}",
    )
