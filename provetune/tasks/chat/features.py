"""Conversations to features, and features to packed batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings, Targets

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array
    from provetune.models.chat_tokens import ConversationTokens

PAIRS = "preference"
PREFIX = "rejected_"
REFERENCES = ("reference_chosen", "reference_rejected")


def encode_conversations(
    examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None
) -> pa.Table:
    """Features, one a row: ``input_ids``, ``whose`` (see `provetune.models.chat_tokens`), ``prompt_ids``, ``cut``.

    Rows with an answer have it in ``input_ids``; others are the prompt alone. Rows with a rejected answer have
    ``rejected_input_ids`` and ``rejected_whose`` as well, and ``length`` counts both. ``unlearned`` counts answers
    that the chat template does not let be learned; ``lost`` is what was cut, for predictors, who see no ``cut``.

    Raises:
        DataError: there are no rows, a row has no text, or the template refuses a row.
        UsageError: conversations are to be cut into windows, or the template lets no answer be learned.
    """
    import pyarrow as pa

    from provetune.models.encoding import as_lists, refuse_missing
    from provetune.models.places import Places

    if settings.long_texts == "windows":
        raise UsageError("chat reads a conversation whole: long_texts must be head or head_tail. Got windows instead.")
    if examples.num_rows == 0:
        raise DataError("There are no rows to encode.")
    texts, places = examples.column("text").to_pylist(), Places.of(examples)
    refuse_missing(texts, 0, places)
    answers = _cells(examples, "label")
    rejected = _cells(examples, "rejected")
    last_alone = targets is not None and (targets.kind == PAIRS or targets.options.get("turns") == "last")
    encoder = _Encoder(tokenizer, settings, last_alone)
    found = [
        encoder.encode(text, [each for each in (answer, worse) if each is not None], _place(places, number))
        for number, (text, answer, worse) in enumerate(zip(texts, answers, rejected, strict=True))
    ]
    first = [each[0] for each in found]
    if targets is not None and not any(any(each.whose) for each in first):
        raise UsageError(
            "The backbone's chat template writes answers otherwise in a conversation than at its end: no answer can be "
            "learned.",
            hint="Take another backbone, or set options.format: completion.",
        )
    columns = {
        "row": pa.array(np.arange(examples.num_rows, dtype=np.int32)),
        "input_ids": as_lists([each.ids for each in first], np.int32),
        "whose": as_lists([each.whose for each in first], np.int8),
        "prompt_ids": as_lists([each.prompt for each in first], np.int32),
        "cut": pa.array(np.asarray([each.cut for each in first], dtype=np.int32)),
        "lost": pa.array(np.asarray([each.cut for each in first], dtype=np.int32)),
        "unlearned": pa.array(np.asarray([each.unlearned for each in first], dtype=np.int32)),
    }
    if "rejected" in examples.column_names:
        second = [each[1] if len(each) > 1 else None for each in found]
        columns |= {
            f"{PREFIX}input_ids": as_lists([[] if each is None else each.ids for each in second], np.int32),
            f"{PREFIX}whose": as_lists([[] if each is None else each.whose for each in second], np.int8),
            "length": pa.array(np.asarray([sum(len(one.ids) for one in each) for each in found], dtype=np.int32)),
        }
    return pa.table(columns)


def pack_features(features: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch as `provetune.training.packing.pack_texts` makes it, with ``prompt_ids`` (P) and ``prompt_lengths`` (B).

    Of pairs also the rejected answers, under names that begin with ``rejected_``, and ``reference_chosen`` and
    ``reference_rejected`` (B) where the features have them.
    """
    import torch

    from provetune.training.packing import pack_texts

    batch = pack_texts([each["input_ids"] for each in features], [each["whose"] for each in features])
    prompts: list[Array] = [np.asarray(each["prompt_ids"], dtype=np.int64) for each in features]
    batch["prompt_ids"] = torch.from_numpy(np.concatenate(prompts))
    batch["prompt_lengths"] = torch.tensor([len(each) for each in prompts])
    if f"{PREFIX}input_ids" in features[0] and all(len(each[f"{PREFIX}input_ids"]) for each in features):
        worse = [each[f"{PREFIX}input_ids"] for each in features]
        batch |= pack_texts(worse, [each[f"{PREFIX}whose"] for each in features], PREFIX)
    for name in REFERENCES:
        if name in features[0]:
            batch[name] = torch.tensor([float(each[name]) for each in features])
    return batch


def count_tokens(examples: pa.Table, tokenizer: Any, most: int) -> Array:
    """Tokens of each row's conversation, the longer of two answers included, int64 (N,)."""
    encoder = _Encoder(tokenizer, EncodeSettings(max_length=1 << 30), False)
    texts, answers, rejected = (_cells(examples, name) for name in ("text", "label", "rejected"))
    rows = zip(texts, answers, rejected, strict=True)
    counts = [
        max(len(each.ids) for each in encoder.encode(text, [one for one in (answer, worse) if one is not None], ""))
        for text, answer, worse in rows
    ]
    return np.minimum(np.asarray(counts, dtype=np.int64), most + 1)


class _Encoder:
    """Conversations into tokens by one tokenizer and one set of settings."""

    def __init__(self, tokenizer: Any, settings: EncodeSettings, last_alone: bool) -> None:
        from provetune.models.chat_template import takes_system

        self.tokenizer, self.settings, self.last_alone = tokenizer, settings, last_alone
        self.takes_system = takes_system(tokenizer)

    def encode(self, text: str, answers: Sequence[str], place: str) -> list[ConversationTokens]:
        """The tokens of a conversation with each of its answers.

        Raises:
            DataError: the chat template refuses it.
        """
        from dataclasses import replace

        from provetune.data.conversations import read_messages
        from provetune.models.chat_tokens import LAST, OTHER, encode_answers

        messages = read_messages(text)
        if not self.takes_system:
            messages = _without_system(messages)
        try:
            found = encode_answers(
                self.tokenizer, messages, answers, self.settings.max_length, self.settings.long_texts
            )
        except UsageError as error:
            if not place:
                raise
            raise DataError(error.message, where=place, hint=error.hint) from error
        if not self.last_alone:
            return found
        return [replace(each, whose=[LAST if one == LAST else OTHER for one in each.whose]) for each in found]


def _without_system(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """For templates that know no system line it stands before the first question."""
    if messages[0]["role"] != "system" or len(messages) < 2:
        return list(messages)
    first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _cells(examples: pa.Table, name: str) -> list[Any]:
    return examples.column(name).to_pylist() if name in examples.column_names else [None] * examples.num_rows


def _place(places: Any, number: int) -> str:
    return f"row {number + 1}" if places is None else str(places[number])
