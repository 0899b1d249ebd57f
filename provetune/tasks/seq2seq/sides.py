"""Two languages into a tokenizer and a model that know several, and the way of decoding into the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.models.generation.decoding import generation_config
from provetune.models.generation.languages import (
    find_language,
    iso_code,
    knows_languages,
    language_token_id,
    match_language,
)
from provetune.tasks.seq2seq.features import PREFIX
from provetune.tasks.seq2seq.options import decoding_of

if TYPE_CHECKING:
    import torch

_SIDES = (("source_language", "src_lang"), ("target_language", "tgt_lang"))


def settle_tokenizer(tokenizer: Any, options: Mapping[str, Any]) -> Any:
    """The tokenizer with the prefix and, where its model marks languages, the two languages set.

    Raises:
        UsageError: the model does not know a language, or a language is not known.
    """
    prefix = str(options.get("prefix", "")) or _target_mark(tokenizer, options)
    if prefix:
        tokenizer.init_kwargs[PREFIX] = prefix
    if not knows_languages(tokenizer):
        return tokenizer
    for option, attribute in _SIDES:
        language = str(options[option])
        if iso_code(language) == "und":
            raise UsageError(
                f"This model is told the language of a text, and it could not be found out (options.{option}).",
                hint=f"Say it: options: {{{option}: en}}.",
            )
        code = find_language(tokenizer, language, f"options.{option}")
        setattr(tokenizer, attribute, code)
        tokenizer.init_kwargs[attribute] = code
    return tokenizer


def _target_mark(tokenizer: Any, options: Mapping[str, Any]) -> str:
    """What a Marian model with several target languages wants before a source, e.g. ``>>fra<< ``; else nothing.

    Raises:
        UsageError: it does not write the target's language.
    """
    marks = list(getattr(tokenizer, "supported_language_codes", ()))
    if not marks:
        return ""
    codes = [str(mark).strip("<>") for mark in marks]
    language = str(options["target_language"])
    found = match_language(codes, language)
    if found is None:
        raise UsageError(
            f"The model does not write the language '{language}' (options.target_language).",
            hint=advice(language, codes),
        )
    return f"{marks[codes.index(found)]} "


def settle_model(model: torch.nn.Module, tokenizer: Any, options: Mapping[str, Any]) -> torch.nn.Module:
    """The model with the options in its generation settings; a multilingual one starts with the target's language."""
    network: Any = model
    if knows_languages(tokenizer):
        code = find_language(tokenizer, str(options["target_language"]), "options.target_language")
        network.generation_config.forced_bos_token_id = language_token_id(tokenizer, code)
    network.generation_config = generation_config(network, decoding_of(options))
    return model
