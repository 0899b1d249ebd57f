"""What a caller hands over, made into examples: texts, pairs, or rows with named columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from provetune.core.errors import DataError, UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    import pyarrow as pa

Missing: TypeAlias = Literal["refuse", "keep"]
Item: TypeAlias = "str | tuple[str, str] | Mapping[str, Any]"


@dataclass(frozen=True)
class TextColumns:
    """Which columns of a row make its text, as the bundle was trained.

    Attributes:
        names: one for a text, two for a pair, more are joined.
        mask: kinds of personal data that are replaced before the model sees a text.
        candidate_mask: kinds that the candidate replaces besides, after those, as it did with the rows it learned from.
        read: makes the text or texts of an item's cells, where the task does that itself (`ReadsInputs.read_input`).
        whole: makes the text of an item as it was handed over, given the names as well (`ReadsItems.read_item`).
    """

    names: tuple[str, ...] = ("text",)
    mask: tuple[str, ...] = ()
    candidate_mask: tuple[str, ...] = ()
    read: Callable[[Sequence[Any], str], tuple[str, ...] | None] | None = None
    whole: Callable[[Any, Sequence[str], str], str | None] | None = None

    @property
    def paired(self) -> bool:
        return len(self.names) == 2 and self.whole is None

    def texts_of(self, item: Any, where: str) -> tuple[str, ...] | None:
        """The one or two texts of an item, masked; None where it has none.

        Raises:
            DataError: what should be text is a number, a list or anything else, or a column is not there.
        """
        texts = self.given_texts(item, where)
        return None if texts is None else tuple(map(self.masked, texts))

    def given_texts(self, item: Any, where: str) -> tuple[str, ...] | None:
        """As `texts_of`, with personal data as it stands."""
        texts: Sequence[str] | None
        if self.whole is not None:
            text = self.whole(item, self.names, where)
            texts = None if text is None else (text,)
        else:
            parts = self._parts(item, where)
            texts = self._cells(parts, where) if self.read is None else self.read(parts, where)
        if texts is None:
            return None
        self._refuse_surrogates(texts, where)
        return tuple(texts)

    def masked(self, text: str) -> str:
        """A text without personal data, as the model is shown it."""
        for kinds in (self.mask, self.candidate_mask):
            if kinds:
                from provetune.data.privacy import mask_text

                text = mask_text(text, kinds)
        return text

    def _cells(self, parts: Sequence[Any], where: str) -> Sequence[str] | None:
        """One text, the two of a pair, or more joined; None where all are empty."""
        for part in parts:
            if part is not None and not isinstance(part, str):
                if isinstance(part, float) and part != part:
                    continue
                raise DataError(f"The text must be a string. Got {_shown(part)} instead.", where=where)
        texts = [part for part in parts if isinstance(part, str)]
        if not any(text.strip() for text in texts):
            return None
        if self.paired:
            return [part if isinstance(part, str) else "" for part in parts]
        if len(texts) > 1:
            from provetune.data.texts import SEPARATOR

            return [SEPARATOR.join(texts)]
        return texts

    def _parts(self, item: Any, where: str) -> list[Any]:
        if isinstance(item, Mapping):
            return [self._cell(item, name, place, where) for place, name in enumerate(self.names)]
        if isinstance(item, tuple | list):
            if len(item) != len(self.names):
                wanted = f"{len(self.names)} texts ({', '.join(self.names)})" if len(self.names) > 1 else "one text"
                raise DataError(f"This bundle takes {wanted} a row. Got {len(item)} instead.", where=where)
            return list(item)
        if self.paired and isinstance(item, str):
            raise DataError(
                f"This bundle takes pairs ({' and '.join(self.names)}). Got one text instead.",
                where=where,
                hint="Give a tuple of two, or a mapping.",
            )
        return [item]

    def _cell(self, item: Mapping[str, Any], name: str, place: int, where: str) -> Any:
        if name in item:
            return item[name]
        found = _below(item, name.split("."))
        if found is not None:
            return found
        plain = ("text", "text_pair")[place] if place < 2 and len(self.names) <= 2 else name
        if plain in item:
            return item[plain]
        raise DataError(f"There is no column '{name}'.", where=where, hint=advice(name, [str(key) for key in item]))

    def _refuse_surrogates(self, texts: Sequence[str], where: str) -> None:
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(
                    f"The text holds half a character (position {error.start + 1}).",
                    where=where,
                    hint="It was cut inside an emoji; remove that part.",
                ) from None


@dataclass(frozen=True)
class Prepared:
    """Examples to be answered.

    Attributes:
        examples: columns ``text`` and, for pairs, ``text_pair``; M rows.
        places: number of the item each example came from; the others have no text.
        count: items, N.
        given: the texts of each example before personal data was masked; None where none is.
    """

    examples: pa.Table
    places: Sequence[int]
    count: int
    given: Sequence[tuple[str, ...]] | None = None


def prepare(
    items: Iterable[Any], columns: TextColumns, *, missing: Missing = "refuse", where: Sequence[str] | None = None
) -> Prepared:
    """Items as examples.

    Args:
        items: texts, pairs or mappings.
        missing: what to do about an item without text: refuse all, or leave it without an answer.
        where: the place of each item, for errors; numbered when left out.

    Raises:
        DataError: an item is no text, or has none and `missing` says to refuse.
    """
    import pyarrow as pa

    if missing not in ("refuse", "keep"):
        raise UsageError(f"missing must be 'refuse' or 'keep'. Got '{missing}' instead.")
    texts: list[tuple[str, ...]] = []
    places: list[int] = []
    count = 0
    for number, item in enumerate(items):
        place = where[number] if where is not None else f"text {number + 1}"
        found = columns.given_texts(item, place)
        count += 1
        if found is None:
            if missing == "refuse":
                raise DataError(
                    "There is no text.", where=place, hint="Fill it in, or keep such rows unanswered (--keep-empty)."
                )
            continue
        texts.append(found)
        places.append(number)
    table = {"text": pa.array([columns.masked(text[0]) for text in texts], pa.string())}
    if columns.paired:
        table["text_pair"] = pa.array([columns.masked(text[1]) for text in texts], pa.string())
    given = texts if columns.mask or columns.candidate_mask else None
    return Prepared(pa.table(table), places, count, given)


def _below(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of a dotted column in nested objects, as training named it; None where there is none."""
    for place in range(1, len(names)):
        inner = item.get(".".join(names[:place]))
        if isinstance(inner, Mapping):
            rest = names[place:]
            found = inner[".".join(rest)] if ".".join(rest) in inner else _below(inner, rest)
            if found is not None:
                return found
    return None


def _shown(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", tuple: "a list", type(None): "nothing", bool: "true or false"}
    kind = kinds.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
    return f"{kind} ({str(value)[:40]})"
