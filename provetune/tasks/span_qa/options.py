"""Settings of span_qa, and what they are settled to by the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Auto: TypeAlias = Literal["auto"]
Scoring: TypeAlias = Literal["squad", "cmrc2018"]

# As SQuAD's recipes have it; longer only where the training answers are.
_USUAL_LENGTH, _MOST_LENGTH = 30, 128
_LONG_ANSWERS = 0.995
_LETTERS_A_TOKEN = 3
_HAN_SHARE = 0.3


class SpanQaOptions(BaseModel):
    """What a problem file may say under ``options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scoring: Scoring | Auto = Field(
        "auto",
        description="How answers are compared: squad (words, without articles and punctuation) or cmrc2018 (Chinese "
        "characters, longest common run); auto: cmrc2018 where passages are Chinese.",
    )
    max_answer_length: Annotated[int, Field(ge=1, le=512)] | Auto = Field(
        "auto", description="Tokens of an answer at most; auto: 30, or more where the training answers are longer."
    )
    no_answer_threshold: float | Auto = Field(
        "auto",
        description="How much likelier 'no answer' must be than the best answer, in logits, to be given; auto: tuned "
        "on the validation rows. Without effect where every training question has an answer.",
    )
    offsets: Literal["as_given", "repair"] = Field(
        "as_given",
        description="Answers that do not stand at their offset: as_given does not learn from them; repair takes the "
        "nearest place where they stand.",
    )
    n_best: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Answers kept of each question at most.")


def settle_scoring(contexts: Sequence[str | None]) -> Scoring:
    """``cmrc2018`` where at least three in ten letters are Chinese characters, else ``squad``."""
    letters = [letter for text in contexts[:200] if text for letter in text[:500] if letter.isalpha()]
    han = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "cmrc2018" if letters and han / len(letters) > _HAN_SHARE else "squad"


def settle_length(answers: Sequence[str]) -> int:
    """Tokens that nearly all of the training answers have at most, estimated from their letters: 30 to 128."""
    sizes = sorted(_tokens(answer) for answer in answers)
    if not sizes:
        return _USUAL_LENGTH
    return min(_MOST_LENGTH, max(_USUAL_LENGTH, sizes[min(len(sizes) - 1, int(_LONG_ANSWERS * len(sizes)))]))


def _tokens(answer: str) -> int:
    """At most so many tokens: one a Chinese character, one for every three letters of a word begun."""
    han = sum("\u3040" <= letter <= "\u9fff" for letter in answer)
    plain = "".join(" " if "\u3040" <= letter <= "\u9fff" else letter for letter in answer)
    return han + sum(-(-len(word) // _LETTERS_A_TOKEN) for word in plain.split())


def as_json(options: BaseModel) -> dict[str, Any]:
    """Every setting, JSON-ready."""
    return options.model_dump(mode="json")
