"""Personal data replaced in a text whose places labels point at: the places move with the letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provetune.data.privacy import PLACEHOLDERS, find_personal


@dataclass(frozen=True)
class MaskedText:
    """A text after masking, and what became of its places.

    Attributes:
        text: with placeholders.
        finds: (start, stop, letters of the placeholder) of each find in the text as it was, in order.
        given: the text as it was.
    """

    text: str
    finds: tuple[tuple[int, int, int], ...] = ()
    given: str = ""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where letters `start` to `end` of the text as it was stand now; a find that they touch belongs to them."""
        return self._moved(start, at_end=False), self._moved(end, at_end=True)

    def given_span(self, start: int, end: int) -> tuple[int, int]:
        """Where letters `start` to `end` of the masked text stood; of a placeholder they have all or nothing."""
        return self._moved_back(start, at_end=False), self._moved_back(end, at_end=True)

    def _moved_back(self, place: int, *, at_end: bool) -> int:
        shift = 0
        for start, stop, size in self.finds:
            first = start + shift
            if first < place < first + size:
                return stop if at_end else start
            if place < first + size:
                break
            shift += size - (stop - start)
        return place - shift

    def _moved(self, place: int, *, at_end: bool) -> int:
        shift = 0
        for start, stop, size in self.finds:
            inside = start < place < stop
            if inside:
                return start + shift + (size if at_end else 0)
            if place < stop:
                break
            shift += size - (stop - start)
        return place + shift


def mask_keeping_places(text: str, kinds: Sequence[str]) -> MaskedText:
    """`provetune.data.privacy.mask_text`, with the places of the finds kept.

    Raises:
        UsageError: a kind that does not exist.
    """
    pieces, finds, end = [], [], 0
    for kind, start, stop in find_personal(text, kinds) if kinds else ():
        pieces += [text[end:start], PLACEHOLDERS[kind]]
        finds.append((start, stop, len(PLACEHOLDERS[kind])))
        end = stop
    return MaskedText("".join([*pieces, text[end:]]), tuple(finds), text)
