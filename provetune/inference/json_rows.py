"""The rows of a JSON document one after another: the document is never in memory, only the row under way is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from provetune.core.errors import DataError
from provetune.data.readers._squad import flat_questions
from provetune.data.readers.json import LIST_KEYS, WANTED

_PIECE = 1 << 16
# A literal, a number or an escape that ends with the piece fails at most this far before its end.
_TORN = 16
_DECODER = json.JSONDecoder()


class JsonSource:
    """A JSON file: a list of objects, or an object that holds such a list under ``data`` or a like name.

    Attributes:
        names: the keys of all rows, in the order they appear.
    """

    repeatable = True

    def __init__(self, path: Path) -> None:
        from provetune.data.encodings import find_encoding

        self.path, self.encoding = path, find_encoding(path)[0]
        self._key = self._find_key()
        self.names = tuple(dict.fromkeys(name for _, row in self.rows() for name in row))

    def rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        # Where the entries are SQuAD's articles, each of their questions is a row, as it was for training.
        rows = flat_questions(self._entries(), str(self.path), "entry")
        for number, (_, row) in enumerate(rows, start=1):
            yield f"{self.path}, row {number}", row

    def _entries(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        with self.path.open(encoding=self.encoding) as stream:
            text = _JsonText(stream, str(self.path))
            if self._key is not None:
                for key in text.members():
                    if key == self._key and text.peek() == "[":
                        break
                    text.skip()
            for number, row in enumerate(text.items(), start=1):
                if not isinstance(row, dict):
                    kind = "nothing (null)" if row is None else f"a {type(row).__name__}"
                    place = f"{self.path}, row {number}"
                    raise DataError(f"This row is {kind}, not an object.", where=place, hint=WANTED)
                yield number, row

    def _find_key(self) -> str | None:
        """The key of the list of rows, or None where the document is that list. Reads the file to its end."""
        with self.path.open(encoding=self.encoding) as stream:
            text = _JsonText(stream, str(self.path))
            lists: set[str] = set()
            if text.peek() == "{":
                for key in text.members():
                    if text.peek() == "[":
                        lists.add(key)
                    text.skip()
            elif text.peek() == "[":
                text.skip()
            else:
                text.value()
                raise DataError("There is no list of rows in this document.", where=str(self.path), hint=WANTED)
            start = text.start
            if text.peek():
                raise text.fault("Extra data", "One object a line is called .jsonl.")
        if start == "[":
            return None
        found = next((key for key in LIST_KEYS if key in lists), None)
        if found is None:
            raise DataError("There is no list of rows in this document.", where=str(self.path), hint=WANTED)
        return found


class _JsonText:
    """A JSON text that is read forwards, value by value."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream, self._name = stream, name
        self._text, self._at, self._line, self._ended = "", 0, 1, False
        self.start = self.peek()

    def peek(self) -> str:
        """The next sign that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                torn = error.pos >= len(self._text) - _TORN or error.msg.startswith("Unterminated string")
                if torn and self._more():
                    continue
                self._at = min(error.pos, len(self._text))
                raise self.fault(error.msg) from None
            except RecursionError:
                raise DataError("This document is nested too deeply.", where=self._name, hint=WANTED) from None
            # A number that ends where the text does may go on in the next piece.
            if end < len(self._text) or not self._more():
                self._at = end
                return found

    def items(self) -> Iterator[Any]:
        """The values of the list that begins here, one after another."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                self._at += 1
                return
            self._take(",")

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; whoever asks reads each value before asking for the next."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self.fault("Expecting property name enclosed in double quotes")
            key = str(self.value())
            self._take(":")
            yield key
            if self.peek() == "}":
                self._at += 1
                return
            self._take(",")

    def skip(self) -> None:
        """Read over the next value; over a list item by item."""
        if self.peek() != "[":
            self.value()
            return
        for _ in self.items():
            pass

    def fault(self, message: str, hint: str | None = None) -> DataError:
        """The error of the place that was reached."""
        line = self._line + self._text.count("\n", 0, self._at)
        said = f"This is not JSON: {message[:1].lower()}{message[1:]}."
        return DataError(said, where=f"{self._name}, line {line}", hint=hint or WANTED)

    def _take(self, sign: str) -> None:
        if self.peek() != sign:
            raise self.fault(f"Expecting '{sign}'")
        self._at += 1

    def _more(self) -> bool:
        """Read on and drop what was read already; False at the end. As much again as is held, so that a long value
        is begun anew a few times only."""
        piece = "" if self._ended else self._stream.read(max(_PIECE, len(self._text) - self._at))
        if not piece:
            self._ended = True
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + piece, 0
        return True
