"""Reading claims character by character, with errors that point at the place."""

from __future__ import annotations

import json
import re

from provetune.core.errors import UsageError

NAME_TOKEN = re.compile(r"[^\W\d]\w*")
NUMBER_TOKEN = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
COMPARATOR_TOKEN = re.compile(r">=|<=|>|<")
_BARE_VALUE = re.compile(r"[^\s\]@,=]+")
_SPACES = re.compile(r"\s*")
_LONGEST_SHOWN = 80


class ClaimSyntaxError(UsageError):
    """A claim, level or scope that does not follow the grammar.

    Attributes:
        position: the character where reading stopped, from 1.
    """

    def __init__(self, text: str, position: int, problem: str, *, noun: str, hint: str | None = None) -> None:
        self.position = position
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        super().__init__(f"In the {noun} '{shown}', at character {position}: {problem}", hint=hint)


class Scanner:
    """A position in a text. Spaces between tokens are skipped.

    Args:
        text: what is read.
        noun: what it is called in errors: claim, level, scope.
    """

    def __init__(self, text: str, noun: str) -> None:
        self.text = text
        self.noun = noun
        self.at = 0
        self._skip()

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """The token here, consumed; None when something else stands here."""
        match = pattern.match(self.text, self.at)
        if match is None or not match.group():
            return None
        self.at = match.end()
        self._skip()
        return match.group()

    def take_text(self, *choices: str) -> str | None:
        """The first of `choices` that stands here, consumed."""
        for choice in choices:
            if self.text.startswith(choice, self.at):
                self.at += len(choice)
                self._skip()
                return choice
        return None

    def name(self, what: str) -> str:
        """A name, consumed.

        Raises:
            ClaimSyntaxError: no name stands here.
        """
        found = self.take(NAME_TOKEN)
        if found is None:
            raise self.error(f"must be {what}. Got {self.here()} instead.")
        return found

    def number(self) -> float:
        """A number without a sign, consumed.

        Raises:
            ClaimSyntaxError: no finite number stands here.
        """
        start = self.at
        found = self.take(NUMBER_TOKEN)
        if found is None:
            hint = "Write 0.5 rather than .5." if self.text.startswith(".", self.at) else None
            raise self.error(f"must be a number. Got {self.here()} instead.", hint)
        value = float(found)
        if value == float("inf"):
            self.at = start
            raise self.error(f"{found} is too large.")
        if self.text.startswith(("%", "％"), self.at):
            raise self.error("there is no per cent here.", f"Write {value / 100:g} for {value:g} %.")
        if NAME_TOKEN.match(self.text, self.at) and not self.text[self.at - 1].isspace():
            self.at = start
            raise self.error(f"must be a number. Got {self.here()} instead.")
        return value

    def value(self, what: str) -> str:
        """A bare value, or a JSON string, consumed.

        Raises:
            ClaimSyntaxError: neither stands here.
        """
        if self.text.startswith('"', self.at):
            try:
                found, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                raise self.error(
                    "this text in quotes is not complete JSON.", 'End it with " and write \\" for a quote inside.'
                ) from error
            self._skip()
            return str(found)
        bare = self.take(_BARE_VALUE)
        if bare is None:
            raise self.error(f"must be {what}. Got {self.here()} instead.", 'Put "…" around one with spaces or signs.')
        return bare

    @property
    def ended(self) -> bool:
        return self.at >= len(self.text)

    def here(self) -> str:
        """What stands here, for an error: a word, a sign, or the end."""
        match = re.compile(r"\w[\w.-]*|\S+?(?=\w|\s|$)").match(self.text, self.at)
        return f"'{match.group()}'" if match else "the end"

    def error(self, problem: str, hint: str | None = None) -> ClaimSyntaxError:
        """An error that points here."""
        return ClaimSyntaxError(self.text, self.at + 1, problem, noun=self.noun, hint=hint)

    def _skip(self) -> None:
        match = _SPACES.match(self.text, self.at)
        if match is not None:
            self.at = match.end()


def write_value(text: str) -> str:
    """A value as the grammar needs it: bare where it can be, else a JSON string."""
    bare = _BARE_VALUE.fullmatch(text) is not None and not text.startswith('"')
    return text if bare else json.dumps(text, ensure_ascii=False)


def write_number(number: float) -> str:
    """A number without a sign as the grammar needs it; `float` reads the same number back."""
    return repr(abs(number)).removesuffix(".0")
