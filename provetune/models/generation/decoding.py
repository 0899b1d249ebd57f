"""Decoding with transformers' own ``generate``, in the way that the options say."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from provetune.models.generation.sampling import row_keys, sampling_processors

if TYPE_CHECKING:
    from provetune.models.generation.options import DecodingOptions

_SAMPLING = ("temperature", "top_k", "top_p", "typical_p", "min_p", "epsilon_cutoff", "eta_cutoff")


def generation_config(model: Any, options: DecodingOptions) -> Any:
    """The model's own ``GenerationConfig`` with the options in it: what a bundle's ``generation_config.json`` holds.

    Special tokens and banned words stay as the model has them.
    """
    config = copy.deepcopy(model.generation_config)
    for name in _SAMPLING:
        setattr(config, name, None)
    sampled, beams = options.decoding == "sample", options.decoding == "beam"
    config.do_sample = sampled
    config.num_beams = options.beams if beams else 1
    config.length_penalty = options.length_penalty if beams else None
    config.early_stopping = False if beams else None
    config.no_repeat_ngram_size = options.no_repeat_ngram or None
    config.max_length, config.max_new_tokens = None, options.max_target_length
    config.min_length, config.min_new_tokens = None, options.min_target_length or None
    if sampled:
        config.temperature, config.top_k, config.top_p = options.temperature, options.top_k, options.top_p
    return config


def decode_batch(model: Any, options: DecodingOptions, batch: dict[str, torch.Tensor], **asked: Any) -> torch.Tensor:
    """Token ids that the model writes for each row, (B, T), the tokens that it was given to start with included.

    Sampling draws by row and seed (`provetune.models.generation.sampling`), so it is the same in every batch.

    Args:
        batch: ``input_ids`` and ``attention_mask``.
        asked: what ``generate`` is asked besides, e.g. a streamer.
    """
    config = generation_config(model, options)
    processors: Sequence[Any] = ()
    if options.decoding == "sample":
        keys = row_keys(batch["input_ids"], batch["attention_mask"], options.sampling_seed)
        processors = sampling_processors(options, keys)
        config.do_sample = False
        for name in _SAMPLING:
            setattr(config, name, None)
    with _decoding_as(model, config):
        found: torch.Tensor = model.generate(**batch, logits_processor=list(processors) or None, **asked)
    return found


@contextmanager
def _decoding_as(model: Any, config: Any) -> Iterator[None]:
    """The model's own configuration is another one: handed over otherwise, its gaps are filled from the model's."""
    kept, model.generation_config = model.generation_config, config
    try:
        yield
    finally:
        model.generation_config = kept
