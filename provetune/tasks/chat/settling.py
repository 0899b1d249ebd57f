"""The options made part of tokenizer and model, so that a bundle answers alike wherever it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch


def settle_tokenizer(tokenizer: Any, options: Mapping[str, Any]) -> Any:
    """The tokenizer with a chat template, the system line in it, and a token to pad with.

    Raises:
        UsageError: conversations are wanted by a template that is not there, or a system line by one that has no place
            for it.
    """
    from provetune.models.chat_template import COMPLETION_TEMPLATE, with_default_system

    wanted = options.get("format", "auto")
    if wanted == "completion" or (wanted == "auto" and not tokenizer.chat_template):
        if tokenizer.eos_token is None:
            raise UsageError("The backbone's tokenizer has no token that ends a text.", hint="Take another backbone.")
        tokenizer.chat_template = COMPLETION_TEMPLATE
    if not tokenizer.chat_template:
        raise UsageError(
            "The backbone has no chat template.", hint="Set options.format: completion, or take a chat model."
        )
    if options.get("system"):
        tokenizer.chat_template = with_default_system(tokenizer.get_chat_template(), str(options["system"]))
        _check_system(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # Whoever asks for several answers at once has to fill up before the prompts, not after them.
    tokenizer.padding_side = "left"
    return tokenizer


def settle_model(model: torch.nn.Module, tokenizer: Any, options: Mapping[str, Any]) -> torch.nn.Module:
    """The model with the way of decoding, and everything that ends an answer, in its generation settings."""
    from provetune.models.chat_template import closing_marks
    from provetune.models.generation.decoding import generation_config
    from provetune.tasks.chat.options import decoding_of

    network: Any = model
    network.generation_config = generation_config(network, decoding_of(options))
    own = network.generation_config.eos_token_id
    ends = [*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id]
    marks = tokenizer(closing_marks(tokenizer), add_special_tokens=False)["input_ids"]
    if marks and marks[0] in tokenizer.added_tokens_decoder:
        ends.append(marks[0])
    network.generation_config.eos_token_id = sorted({int(end) for end in ends if end is not None})
    network.generation_config.pad_token_id = tokenizer.pad_token_id
    # It is settled now: nothing is to be derived from the model's configuration any more.
    network.generation_config._from_model_config = False
    network.config.pad_token_id = tokenizer.pad_token_id
    return model


def _check_system(tokenizer: Any) -> None:
    from provetune.models.chat_template import render_prompt

    try:
        render_prompt(tokenizer, [{"role": "user", "content": "a question"}])
    except UsageError as error:
        raise UsageError(
            "The backbone's chat template has no place for a system line (options.system).",
            hint="Write what it should say into the prompts.",
        ) from error
