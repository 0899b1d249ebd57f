"""Markers as tokens of their own, which begin as punctuation that the backbone knows.

A tokenizer would cut ``</e1>`` into five pieces. As one token a marker costs one place, and because the tokens are part
of the bundle's tokenizer, `transformers.pipeline` sees them in a marked text as well. A new token that began at random
would have to be learned from the training rows alone; here it begins as a bracket of its own kind, the "typed
punctuation" of Zhou and Chen 2021 (arXiv:2102.01373), and is fine-tuned from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provetune.tasks.relation.markers import MARKERS

if TYPE_CHECKING:
    import torch

BEGINNINGS = {"<e1>": "[", "</e1>": "]", "<e2>": "{", "</e2>": "}"}


def add_marker_tokens(tokenizer: Any) -> Any:
    """The tokenizer, knowing the markers; one that knows them already is left as it is."""
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    missing = [AddedToken(marker, normalized=False, special=False) for marker in MARKERS if marker not in known]
    if missing:
        tokenizer.add_tokens(missing)
    return tokenizer


def add_marker_embeddings(model: torch.nn.Module, tokenizer: Any) -> torch.nn.Module:
    """The model with a row of its embeddings for each marker, a copy of its bracket's."""
    import torch

    known = model.get_input_embeddings().num_embeddings  # type: ignore[operator]
    numbers = {marker: tokenizer.convert_tokens_to_ids(marker) for marker in MARKERS}
    new = {marker: number for marker, number in numbers.items() if number >= known}
    if not new:
        return model
    model.resize_token_embeddings(max(len(tokenizer), known), mean_resizing=False)  # type: ignore[operator]
    table = model.get_input_embeddings().weight  # type: ignore[operator]
    with torch.no_grad():
        for marker, number in new.items():
            pieces = tokenizer.encode(BEGINNINGS[marker], add_special_tokens=False)
            table[number] = table[pieces].mean(dim=0)
    return model
