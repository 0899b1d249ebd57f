"""The errors a user sees: one line that says what is wrong, where, and what to do.

The command line turns each into that line and an exit code: 1 when the work says no (`Refused`), 2 when
something was used wrongly or cannot be read (everything else). A traceback is shown only with `--debug`.
"""

from __future__ import annotations

from collections.abc import Sequence


class ProvetuneError(Exception):
    """Base of every error that is meant for a user.

    Args:
        message: what is wrong, one sentence, naming the value that was found.
        where: the place: ``"problem.yaml:12"``, ``"messages.csv, row 17, column 'label'"``.
        hint: what to do about it, one sentence.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return " ".join(f"{place}{self.message}{advice}".split("\n"))

    def lines(self) -> list[str]:
        """The error as the command line prints it: one line a fault."""
        return [str(self)]


class UsageError(ProvetuneError):
    """A command, an argument or a name that does not exist or does not fit."""


class DataError(ProvetuneError):
    """A data file that cannot be read, or rows that cannot be used."""


class EnvironmentFault(ProvetuneError):
    """The machine says no: no disk space, a read-only folder, no network, a missing extra."""


class Interrupted(ProvetuneError):
    """Work stopped by Ctrl-C or a termination signal; what was finished is kept and can be resumed."""

    exit_code = 130


class Refused(ProvetuneError):
    """The work was done and its answer is no: a check failed, an acceptance level does not hold."""

    exit_code = 1


class CorruptError(ProvetuneError):
    """A file whose content is not what was recorded for it: a changed bundle, a damaged download."""


class ProblemFileError(ProvetuneError):
    """Every fault of one problem file together, in the order of its lines."""

    def __init__(self, faults: Sequence[ProvetuneError]) -> None:
        if not faults:
            raise ValueError("ProblemFileError needs at least one fault")
        self.faults = list(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))

    def lines(self) -> list[str]:
        return [line for fault in self.faults for line in fault.lines()]
