"""Conversations: the assistant's next answer, by decoders (SmolLM2, Qwen, Llama and the like).

Supervised fine-tuning on whole conversations with the model's own chat template, the loss on the assistant's turns
alone; completions of prompts; and pairs of a chosen and a rejected answer, which the objective ``dpo`` learns from
(``plain`` learns the chosen one).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import (
    Detected,
    EncodeSettings,
    FeatureColumns,
    Finding,
    LearnsFrom,
    Outputs,
    ReportTable,
    Role,
    RowParts,
    Targets,
)
from provetune.tasks.chat.options import ChatOptions
from provetune.tasks.chat.scores import METRICS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import Array
    from provetune.tasks.chat.answering import Answer

CONVERSATION, PREFERENCE = "conversation", "preference"
_LANGUAGE_ROWS = 2_000


class Chat:
    """The chat task; see `provetune.core.protocols.Task`, which it fulfils."""

    name = "chat"
    summary = "Answer in conversations, or go on with texts: chat models, instructions, preferences."
    roles = (
        Role("text", "The conversation (a list of messages), or the prompt. Two columns are joined.", many=True),
        Role("label", "The answer, where the conversation does not hold it: completion, or chosen.", required=False),
        Role("rejected", "A worse answer than the label, for learning from preferences.", required=False),
        Role("system", "The system line of the conversation.", required=False),
        Role("controls", "Attributes of the wanted answer, e.g. tone and length.", required=False, many=True),
    )
    classes = False
    metrics = METRICS
    learns_from: tuple[LearnsFrom, ...] = ("weights",)
    baseline: str | None = "untrained"
    options: type[BaseModel] = ChatOptions
    defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "*": {"long_texts": "head_tail", "epochs": 2.0, "batch_rows": 16, "evaluations": 2},
            "full": {"learning_rate": 5e-5},
            "lora": {"learning_rate": 5e-4},
        }
    )
    # A step of SmolLM2 (135 M, LoRA) on 4,000 tokens held 11 GB whole.
    part_tokens = 1024
    auto_class = "AutoModelForCausalLM"
    pipeline: str | None = "text-generation"
    answer_keys: tuple[str, ...] = ("text", "score")
    examples: tuple[Mapping[str, Any], Mapping[str, Any]] = (
        {
            "messages": [
                {"role": "user", "content": "My card was charged twice."},
                {"role": "assistant", "content": "I am sorry. I have refunded one of the charges."},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "Where is my parcel?"},
                {"role": "assistant", "content": "It is on its way."},
                {"role": "user", "content": "When will it arrive?"},
                {"role": "assistant", "content": "Tomorrow before noon."},
            ]
        },
    )

    # -- columns of a file, rows, and what is asked ------------------------------------------------------------------

    def detect(self, raw: Any, named: Mapping[str, str | list[str]]) -> Detected:
        """Columns with lists of messages, or called like prompts and answers, or like a better answer and a worse."""
        from provetune.tasks.chat.detection import find_columns

        return find_columns(raw, named)

    def read(self, raw: Any, data: Any, columns: Any) -> RowParts:
        """``text`` (JSON of the messages before the answer), ``label`` (the answer) and, of pairs, ``rejected``.

        Raises:
            DataError: no column is named.
        """
        from provetune.tasks.chat.reading import read_rows

        parts = _parts(columns)
        if not parts.get("text"):
            raise DataError("No column is named.", where=raw.location, hint="Name it with data.columns.text.")
        return read_rows(raw, parts, data.mask)

    def input_columns(self, columns: Any) -> str | list[str]:
        """The conversation or the prompt, and what belongs to it."""
        from provetune.tasks.chat.reading import INPUTS

        named = _parts(columns)
        parts = [named[role] for role in INPUTS if role in named]
        found = [name for part in parts for name in ([part] if isinstance(part, str) else part)]
        return found[0] if len(found) == 1 else found or "text"

    def is_item(self, given: Any) -> bool:
        """Whether this is one conversation rather than a list of them."""
        from provetune.data.conversations import looks_like_messages

        return looks_like_messages(given)

    def read_item(self, columns: Any, item: Any, names: Sequence[str], where: str) -> str | None:
        """What is to be answered, as the text of an example; see `provetune.tasks.chat.reading.read_item`."""
        from provetune.data.conversations import ConversationFault
        from provetune.tasks.chat.reading import read_item

        try:
            return read_item(item, {"text": "text", **_parts(columns)}, names)
        except ConversationFault as fault:
            raise DataError(str(fault), where=where) from None

    # -- what there is to learn --------------------------------------------------------------------------------------

    def targets(
        self, examples: pa.Table, *, out_of_scope: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Targets:
        """No names to predict; whether rows are conversations or pairs, and the options.

        Raises:
            DataError: there are no rows with an answer.
        """
        import pyarrow.compute as pc

        from provetune.tasks.chat.options import settle_options

        labelled = examples.filter(pc.is_valid(examples.column("label")))
        if labelled.num_rows == 0:
            raise DataError("There are no rows with an answer to learn from.", hint="Check data.columns.")
        paired = "rejected" in examples.column_names and labelled.column("rejected").null_count < labelled.num_rows
        answers = labelled.slice(0, _LANGUAGE_ROWS).column("label").to_pylist()
        return Targets(PREFERENCE if paired else CONVERSATION, (), options=settle_options(options, answers))

    def check(self, splits: Mapping[str, pa.Table]) -> list[Finding]:
        """Answers that repeat the question, one answer for most rows, pairs told apart by their length."""
        from provetune.tasks.chat.faults import find_faults

        return find_faults(splits)

    def head(self, targets: Targets) -> dict[str, Any]:
        """Nothing: the model is complete as it is."""
        return {}

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The tokenizer with a chat template and the system line in it."""
        from provetune.tasks.chat.settling import settle_tokenizer

        return settle_tokenizer(tokenizer, targets.options)

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """The model with the options in its generation settings."""
        from provetune.tasks.chat.settling import settle_model

        return settle_model(model, tokenizer, targets.options)

    # -- features, batches, loss -------------------------------------------------------------------------------------

    def count_tokens(self, examples: pa.Table, tokenizer: Any, most: int) -> Array:
        """Tokens of each row's conversation, int64 (N,)."""
        from provetune.tasks.chat.features import count_tokens

        return count_tokens(examples, tokenizer, most)

    def encode(self, examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
        """Conversations as `provetune.tasks.chat.features.encode_conversations` makes them."""
        from provetune.tasks.chat.features import encode_conversations

        return encode_conversations(examples, tokenizer, settings, targets)

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        """Conversations laid end to end: there is no padding."""
        from provetune.tasks.chat.features import pack_features

        return pack_features(features)

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits (M, V) at the places before the tokens that are learned; no other is projected onto the vocabulary."""
        from provetune.models.packed_attention import packed_logits
        from provetune.training.packing import IGNORED

        wanted = batch["labels"][0] != IGNORED
        return packed_logits(model, batch["input_ids"], batch["lengths"].tolist(), wanted)

    def terms(self, batch: Mapping[str, torch.Tensor]) -> int:
        """Tokens that are learned."""
        from provetune.training.packing import IGNORED

        return int((batch["labels"] != IGNORED).sum())

    def loss(
        self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Mean cross-entropy of a token.

        Args:
            logits: at the learned places, (M, V).
            labels: (1, T), -100 where nothing is learned.
        """
        from torch.nn import functional

        from provetune.training.packing import IGNORED

        wanted = labels[labels != IGNORED]
        if not len(wanted):
            return logits.sum() * 0.0  # the mean of nothing would be no number
        return functional.cross_entropy(logits.float(), wanted)

    # -- answers -----------------------------------------------------------------------------------------------------

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """How likely the model finds each row's answers, and what it answers itself, one record each."""
        from provetune.tasks.chat.answering import answer_batch
        from provetune.tasks.chat.options import decoding_of

        # Of a pair the last answer alone is learned, so it alone is judged.
        more = {"turns": "last"} if targets.kind == PREFERENCE else {}
        return answer_batch(model, batch, decoding_of({**targets.options, **more}), tokenizer)

    def stream(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Iterator[str]:
        """Pieces of the answer to the one conversation of a batch, as it is being written."""
        from provetune.tasks.chat.options import decoding_of
        from provetune.tasks.chat.streaming import stream_answer

        return stream_answer(model, batch["prompt_ids"].cpu().numpy(), decoding_of(targets.options), tokenizer)

    def while_training(self, targets: Targets) -> Targets:
        """The targets without answers being written: likelihood is enough to choose between checkpoints."""
        from dataclasses import replace

        return replace(targets, options={**targets.options, "generate": False})

    def answers(
        self, outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
    ) -> list[Answer]:
        """What was said of each row, and how much of it was cut off."""
        from provetune.tasks.chat.answering import read_record

        told: list[tuple[int, int]] = [(0, 0)] * len(outputs)
        if features is not None:
            taken = features.take(range(len(features)))
            told = [(int(feature["lost"]), int(feature["unlearned"])) for feature in taken]
        return [read_record(record, *lost) for record, lost in zip(outputs, told, strict=True)]

    def outcomes(self, examples: pa.Table, answers: Sequence[Answer], targets: Targets) -> pa.Table:
        """``row_id``, ``label``, ``prediction``, ``loss``, ``tokens``, ``bytes``, ``preferred`` and more of each row.

        ``prediction`` is null where no answer was written, ``preferred`` where a row is no pair.
        """
        import pyarrow as pa

        preferred = [None if np.isnan(each.mean_rejected) else each.mean > each.mean_rejected for each in answers]
        return pa.table(
            {
                "row_id": examples.column("row_id"),
                "label": examples.column("label"),
                "prediction": pa.array([each.text for each in answers], pa.string()),
                "loss": pa.array([each.loss for each in answers], pa.float64()),
                "tokens": pa.array([each.tokens for each in answers], pa.int64()),
                "bytes": pa.array([each.size for each in answers], pa.int64()),
                "preferred": pa.array(preferred, pa.bool_()),
                "score": pa.array([each.score for each in answers], pa.float64()),
                "stopped": pa.array([each.stopped for each in answers], pa.bool_()),
                "cut": pa.array([each.cut for each in answers], pa.int32()),
                "unlearned": pa.array([each.unlearned for each in answers], pa.int32()),
            }
        )

    def score(self, outcomes: pa.Table, targets: Targets) -> dict[str, float]:
        """Every metric that the outcomes have, over the rows with an answer."""
        return {name: one.value() for name, one in self.judged(outcomes, targets).metrics.items()}

    def judged(self, outcomes: pa.Table, targets: Targets, groups: Sequence[Any] | None = None) -> Any:
        """The statistics of each row that its metrics are made of; rows without an answer are left out."""
        from provetune.statistics.measured_rows import MeasuredRows
        from provetune.tasks.chat.scores import measures

        kept = outcomes.column("label").is_valid()
        numbers = None
        if groups is not None:
            of_kept = [str(group) for group, keep in zip(groups, kept.to_pylist(), strict=True) if keep]
            numbers = np.unique(of_kept, return_inverse=True)[1]
        found = measures(outcomes.filter(kept), str(targets.options.get("language", "und")))
        return MeasuredRows(found, groups=numbers)

    def predictions(
        self, answers: Sequence[Answer], targets: Targets, *, top_k: int | None = None, proba: bool = False
    ) -> list[dict[str, Any]]:
        """``{"text", "score"}`` of each row. There is one answer a row, so `top_k` and `proba` add nothing."""
        return [{"text": each.text, "score": each.score} for each in answers]

    def show(self, value: Any) -> str:
        """The text itself."""
        return "" if value is None else str(value)

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """What was cut, perplexity by length, and how scores were computed."""
        from provetune.tasks.chat.tables import report_tables

        return report_tables(outcomes, targets)


def _parts(columns: Any) -> dict[str, str | list[str]]:
    """The columns of the task's own roles, by role."""
    named: Mapping[str, Any] = columns if isinstance(columns, Mapping) else columns.named()
    return {role.name: named[role.name] for role in Chat.roles if named.get(role.name)}
