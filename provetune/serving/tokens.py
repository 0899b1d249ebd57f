"""How many tokens an item has, so that a batch can be filled by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provetune.serving.describing import Description
from provetune.serving.faults import Fault

LETTERS_A_TOKEN = 4
_MOST_LETTERS_A_TOKEN = 16


class TokenCounter:
    """Counts the tokens of an item with the bundle's own tokenizer; by letters where the kind has none.

    Args:
        most: tokens of one item at most; what is longer is refused rather than computed.
    """

    def __init__(self, description: Description, most: int) -> None:
        self._most = most
        self._computed = description.most_tokens or most
        self._tokenizer: Any = None
        path = description.path / "tokenizer.json"
        if path.is_file():
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_file(str(path))
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()

    def __call__(self, item: Any, place: int | None = None) -> int:
        """Tokens that are computed for an item, one at least: what the bundle cuts off does not count.

        Args:
            place: the item's number in a request of many, for the fault.

        Raises:
            Fault: it has more than a batch may have.
        """
        found = 0
        for text in texts_in(item):
            found += self.count(text)
            if found > self._most:
                where = "The item" if place is None else f"inputs[{place}]: the item"
                raise Fault(
                    413,
                    "too_many_tokens",
                    f"{where} has more than the {self._most} tokens that a batch may have.",
                    place,
                )
        return max(1, min(found, self._computed))

    def count(self, text: str) -> int:
        """Tokens of one text."""
        # Cutting a very long text takes long, and nothing else goes on meanwhile.
        if len(text) > _MOST_LETTERS_A_TOKEN * self._most:
            return self._most + 1
        if self._tokenizer is None:
            return len(text) // LETTERS_A_TOKEN + 1
        try:
            return len(self._tokenizer.encode(text).ids)
        except (UnicodeError, TypeError):
            return 1  # half a character: the worker says so


def texts_in(item: Any) -> Iterator[str]:
    """Every text in an item, at any depth."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, dict):
        for value in item.values():
            yield from texts_in(value)
    elif isinstance(item, list):
        for value in item:
            yield from texts_in(value)
