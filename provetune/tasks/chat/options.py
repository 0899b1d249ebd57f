"""Settings of the chat task, written under ``options`` in a problem file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from provetune.models.generation.options import Decoding, DecodingOptions

AUTO = "auto"


class ChatOptions(DecodingOptions):
    """How conversations are written for the model, what it learns of them, and how it answers."""

    system: str = Field(
        "",
        description="System line of every conversation that has none of its own, e.g. what the assistant is for; "
        "control attributes come after it.",
    )
    format: Literal["auto", "chat", "completion"] = Field(
        "auto",
        description="chat: by the model's own chat template; completion: texts one after the other, without turns; "
        "auto takes the template where there is one.",
    )
    turns: Literal["all", "last"] = Field(
        "all", description="Learn every answer of the assistant, or the last one of each conversation alone."
    )
    generate: bool = Field(
        True,
        description="Write answers for validation and test rows, to be judged by ROUGE and chrF; without, a run is "
        "judged by likelihood alone and takes far less time.",
    )
    language: str = Field(AUTO, description="Language of the answers; decides how ROUGE cuts texts into words.")
    decoding: Decoding = Field(
        "greedy",
        description="greedy: the likeliest token each time; beam: the likeliest whole text; sample: at random.",
    )
    max_target_length: Annotated[int, Field(ge=2, le=16_384)] = Field(
        256, description="Tokens of an answer at most, in writing. What would be longer is stopped, and counted."
    )


def settle_options(options: Mapping[str, Any] | None, answers: Sequence[str]) -> dict[str, Any]:
    """Every setting, defaults filled in and the language found out where it is left open."""
    from provetune.data.language import detect_language

    found = ChatOptions(**dict(options or {})).model_dump(mode="json")
    if found["language"] == AUTO:
        found["language"] = detect_language(answers)
    return found


def decoding_of(options: Mapping[str, Any]) -> ChatOptions:
    """The settled options as they are checked."""
    return ChatOptions(**dict(options))
