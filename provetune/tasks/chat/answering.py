"""What a decoder says of conversations: how likely it finds their answers, and what it would answer itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Array
    from provetune.tasks.chat.options import ChatOptions

_LEAST_SHARE = 4
_FIGURES = ("loss", "tokens", "size", "mean", "mean_rejected", "score")


@dataclass(frozen=True)
class Answer:
    """What a model says of one conversation.

    Attributes:
        text: its own answer; None where it was not asked for one.
        score: geometric mean of that answer's token probabilities, 0 to 1.
        stopped: the answer reached the most tokens that it may have.
        loss: summed negative log-probability of the row's answers, in nats.
        tokens: how many tokens that is about; 0 for rows without an answer.
        size: bytes of those answers in UTF-8.
        mean, mean_rejected: mean log-probability of a token of the last answer, and of the rejected one; NaN without.
        cut: tokens of the conversation that the model did not see.
        unlearned: turns of the assistant that the chat template lets nobody learn or judge.
    """

    text: str | None
    score: float | None
    stopped: bool
    loss: float
    tokens: int
    size: int
    mean: float
    mean_rejected: float
    cut: int = 0
    unlearned: int = 0


def answer_batch(
    model: torch.nn.Module, batch: Mapping[str, torch.Tensor], options: ChatOptions, tokenizer: Any
) -> list[Array]:
    """A record for each conversation of a packed batch; `read_record` reads it."""
    from provetune.models.packed_attention import plain_model

    plain = plain_model(model)
    figures = _judge_likelihood(plain, batch, options, tokenizer)
    prompts = _prompts(batch)
    # A row without an answer of its own is there to be answered.
    asked = [row for row in range(len(prompts)) if options.generate or not figures[row, _FIGURES.index("tokens")]]
    said: dict[int, tuple[str | None, bool]] = {}
    if asked:
        given = [prompts[row] for row in asked]
        written = write_answers(plain, given, options)
        figures[asked, _FIGURES.index("score")] = _scores(plain, given, written)
        ends = [[token] for token in _ends(plain)]
        for row, ids in zip(asked, written, strict=True):
            said[row] = (tokenizer.decode(ids, skip_special_tokens=True), ids[-1:] not in ends)
    records = []
    for row in range(len(prompts)):
        text, stopped = said.get(row, (None, False))
        records.append(_record(text, stopped, figures[row]))
    return records


def read_record(record: Array, cut: int = 0, unlearned: int = 0) -> Answer:
    """What `answer_batch` put down."""
    figures = {name: float(record[name]) for name in _FIGURES}
    written = bool(record["written"])
    return Answer(
        text=str(record["text"]) if written else None,
        score=None if math.isnan(figures["score"]) else figures["score"],
        stopped=bool(record["stopped"]),
        loss=figures["loss"],
        tokens=int(figures["tokens"]),
        size=int(figures["size"]),
        mean=figures["mean"],
        mean_rejected=figures["mean_rejected"],
        cut=cut,
        unlearned=unlearned,
    )


def write_answers(model: Any, prompts: Sequence[Array], options: ChatOptions, **asked: Any) -> list[list[int]]:
    """Token ids of the model's answer to each prompt, its end mark included where it set one.

    Prompt and answer share the model's positions: a prompt that leaves less than a quarter of them loses its beginning,
    and an answer has what is left.

    Args:
        asked: what transformers' ``generate`` is asked besides, e.g. a streamer.
    """
    found: list[list[int]] = [[] for _ in prompts]
    rooms = [_room(model, len(prompt), options.max_target_length) for prompt in prompts]
    for room in sorted(set(rooms)):
        rows = [row for row, own in enumerate(rooms) if own == room]
        latest = [prompts[row][-_most_prompt(model, room) :] for row in rows]
        written = _write(model, latest, options.model_copy(update={"max_target_length": room}), asked)
        for row, ids in zip(rows, written, strict=True):
            found[row] = ids
    return found


def _write(model: Any, prompts: Sequence[Array], options: ChatOptions, asked: Mapping[str, Any]) -> list[list[int]]:
    """Answers to prompts that are filled up before their beginnings, to end together."""
    import torch

    from provetune.models.generation.decoding import decode_batch

    width = max(len(prompt) for prompt in prompts)
    ids = np.full((len(prompts), width), int(model.generation_config.pad_token_id or 0), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = 1
    device = next(model.parameters()).device
    given = {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}
    found = decode_batch(model, options, given, **asked)[:, width:].cpu().tolist()
    return [_until_end(each, _ends(model)) for each in found]


def _judge_likelihood(model: Any, batch: Mapping[str, torch.Tensor], options: ChatOptions, tokenizer: Any) -> Array:
    """The figures of each row (B, 6) that are about given answers; the score is left open."""
    from provetune.models.chat_tokens import LAST
    from provetune.models.token_loss import token_losses
    from provetune.training.packing import under_prefix

    texts, whose = _texts(batch)
    wanted = [each == LAST if options.turns == "last" else each > 0 for each in whose]
    losses = token_losses(model, texts, wanted)
    last = [each == LAST for each in whose]
    # Most conversations have one answer, which then is the last.
    alike = all(np.array_equal(one, two) for one, two in zip(wanted, last, strict=True))
    of_last = losses if alike else token_losses(model, texts, last)
    found = np.full((len(texts), len(_FIGURES)), np.nan)
    found[:, 0], found[:, 1] = losses, [int(each[1:].sum()) for each in wanted]
    found[:, 2] = [_bytes(tokenizer, text[each]) for text, each in zip(texts, wanted, strict=True)]
    found[:, 3] = _means(of_last, last)
    if "rejected_input_ids" in batch:
        others, other_whose = _texts(under_prefix(batch, "rejected_"))
        worse = [each == LAST for each in other_whose]
        found[:, 4] = _means(token_losses(model, others, worse), worse)
    return found


def _scores(model: Any, prompts: Sequence[Array], written: Sequence[Sequence[int]]) -> Array:
    """Geometric mean of the probabilities of each answer's tokens under the model itself, (B,)."""
    from provetune.models.token_loss import token_losses

    texts = [np.append(prompt, ids).astype(np.int64) for prompt, ids in zip(prompts, written, strict=True)]
    wanted = [np.arange(len(text)) >= len(prompt) for text, prompt in zip(texts, prompts, strict=True)]
    return np.asarray(np.exp(_means(token_losses(model, texts, wanted), wanted)))


def _means(losses: Array, wanted: Sequence[Array]) -> Array:
    counts = np.asarray([each[1:].sum() for each in wanted], dtype=np.float64)
    return np.asarray(np.divide(-losses, counts, out=np.full(len(losses), np.nan), where=counts > 0))


def _texts(batch: Mapping[str, torch.Tensor]) -> tuple[list[Array], list[Array]]:
    """Tokens and codes of each text of a packed batch; a code stands at the place before its token there."""
    tokens, said = batch["input_ids"][0].cpu().numpy(), batch["whose"][0].cpu().numpy()
    bounds = np.cumsum(batch["lengths"].cpu().numpy())
    codes = np.append(0, said[:-1])
    starts = [0, *bounds[:-1].tolist()]
    cuts = [slice(start, end) for start, end in zip(starts, bounds.tolist(), strict=True) if end > start]
    return [tokens[cut] for cut in cuts], [codes[cut] for cut in cuts]


def _prompts(batch: Mapping[str, torch.Tensor]) -> list[Array]:
    lengths = batch["prompt_lengths"].cpu().numpy()
    lengths = lengths[lengths > 0]
    return np.split(batch["prompt_ids"].cpu().numpy()[: lengths.sum()], np.cumsum(lengths)[:-1])


def _room(model: Any, length: int, wanted: int) -> int:
    """Tokens that the answer to a prompt of this length may have."""
    places = _places(model)
    return wanted if places is None else min(wanted, max(places // _LEAST_SHARE, places - length))


def _most_prompt(model: Any, room: int) -> int:
    places = _places(model)
    return 0 if places is None else max(1, places - room)


def _places(model: Any) -> int | None:
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found else None


def _ends(model: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends}


def _until_end(ids: list[int], ends: set[int]) -> list[int]:
    """What was written up to the first end mark, that one included; after it comes filling."""
    place = next((place for place, token in enumerate(ids) if token in ends), None)
    return ids if place is None else ids[: place + 1]


def _bytes(tokenizer: Any, ids: Array) -> int:
    return len(str(tokenizer.decode(ids.tolist(), skip_special_tokens=True)).encode()) if len(ids) else 0


def _record(text: str | None, stopped: bool, figures: Array) -> Array:
    # Without Python objects, so that it can be kept in a file that nothing has to be unpickled from.
    kind = np.dtype(
        [
            ("text", f"U{max(1, len(text or ''))}"),
            ("written", np.bool_),
            ("stopped", np.bool_),
            *((name, np.float64) for name in _FIGURES),
        ]
    )
    return np.array((text or "", text is not None, stopped, *figures.tolist()), dtype=kind)
