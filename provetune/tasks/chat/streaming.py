"""An answer as it is being written: pieces of text, as soon as they are sure."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.tasks.chat.options import ChatOptions

_HALF = "\ufffd"
"""What an unfinished character looks like."""


def stream_answer(model: Any, prompt: Array, options: ChatOptions, tokenizer: Any) -> Iterator[str]:
    """Pieces of the model's answer to a prompt; joined they are what it answers all at once.

    Writing goes on in a thread of its own and stops when the iterator is closed. Beam search is sure of nothing before
    its end: it gives one piece.
    """
    from provetune.tasks.chat.answering import write_answers

    if options.decoding == "beam":
        (ids,) = write_answers(model, [prompt], options)
        yield str(tokenizer.decode(ids, skip_special_tokens=True))
        return
    writer = _Writer(model, prompt, options)
    writer.start()
    try:
        yield from _pieces(writer.tokens(), tokenizer)
    finally:
        writer.stop()


def _pieces(tokens: Iterator[int], tokenizer: Any) -> Iterator[str]:
    """Token ids into text; what may still change with the next token waits for it."""
    ids: list[int] = []
    told = ""
    for token in tokens:
        ids.append(token)
        text = str(tokenizer.decode(ids, skip_special_tokens=True))
        if len(text) > len(told) and text.startswith(told) and not text.endswith(_HALF):
            yield text[len(told) :]
            told = text
    whole = str(tokenizer.decode(ids, skip_special_tokens=True))
    if whole != told and whole.startswith(told):
        yield whole[len(told) :]


class _Writer(threading.Thread):
    """Writes an answer, and hands over each token; a transformers streamer and stopping criterion in one."""

    def __init__(self, model: Any, prompt: Array, options: ChatOptions) -> None:
        super().__init__(daemon=True, name="provetune-stream")
        self._model, self._prompt, self._options = model, prompt, options
        self._tokens: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._prompt_seen = False

    def run(self) -> None:
        import torch

        from provetune.tasks.chat.answering import write_answers

        try:
            with torch.inference_mode():
                write_answers(
                    self._model, [self._prompt], self._options, streamer=self, stopping_criteria=[self._asked]
                )
        except Exception as error:  # noqa: BLE001 - handed to whoever reads, who raises it
            self._error = error
        finally:
            self._tokens.put(None)

    def put(self, value: Any) -> None:
        """Called by transformers: first with the prompt, then with each token."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        for token in value.reshape(-1).tolist():
            self._tokens.put(int(token))

    def end(self) -> None:
        """Called by transformers when the answer is whole."""

    def tokens(self) -> Iterator[int]:
        """Tokens as they come, until the answer is whole."""
        while (token := self._tokens.get()) is not None:
            yield token
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Write no more, and wait until nothing is being written."""
        self._stopped.set()
        self.join()

    def _asked(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        return torch.full((input_ids.shape[0],), self._stopped.is_set(), dtype=torch.bool, device=input_ids.device)
