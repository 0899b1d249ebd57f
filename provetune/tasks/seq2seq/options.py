"""Settings of the seq2seq task, written under ``options`` in a problem file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from provetune.models.generation.languages import iso_code
from provetune.models.generation.options import DecodingOptions, longest_target

AUTO: Literal["auto"] = "auto"


class Seq2seqOptions(DecodingOptions):
    """Languages, what stands before a source, how the model learns and how it decodes."""

    source_language: str = Field(
        AUTO, description="Language of the sources: en, zh, …, or a multilingual model's own code, e.g. eng_Latn."
    )
    target_language: str = Field(
        AUTO, description="Language of the targets; decides how BLEU, ROUGE and METEOR cut texts into words."
    )
    max_target_length: Annotated[int, Field(ge=2, le=16_384)] | Literal["auto"] = Field(  # type: ignore[assignment]
        AUTO,
        description="Tokens of a target at most, in training and in writing; what is longer is cut and counted. auto: "
        "as many as the longest training target can have, 256 at most.",
    )
    prefix: str = Field("", description="Put before every source, as T5 wants it, e.g. 'summarize: '.")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of a token's probability that training spreads over the whole vocabulary."
    )


def settle_options(options: Mapping[str, Any] | None, sources: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
    """Every setting, defaults filled in; languages and the longest target found out where they are left open."""
    from provetune.data.language import detect_language

    found = Seq2seqOptions(**dict(options or {})).model_dump(mode="json")
    for name, texts in (("source_language", sources), ("target_language", targets)):
        if found[name] == AUTO:
            found[name] = detect_language(texts)
    if found["max_target_length"] == AUTO:
        found["max_target_length"] = longest_target(targets)
    return found


def decoding_of(options: Mapping[str, Any]) -> DecodingOptions:
    """The part of settled options that decoding takes."""
    return DecodingOptions(**{name: options[name] for name in DecodingOptions.model_fields if name in options})


def target_code(options: Mapping[str, Any]) -> str:
    """The short code of the targets' language, for scores."""
    return iso_code(str(options.get("target_language", "und")))
