"""From a problem file to a `Problem`, or to everything that is wrong with it, each fault with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provetune.core.errors import ProblemFileError, ProvetuneError, UsageError
from provetune.core.suggest import nearest
from provetune.problem.baseline import BaselineOf, always_words, implied_baseline
from provetune.problem.claims import ClaimSyntaxError, check_claims, parse_accept_key, parse_level
from provetune.problem.document import Document, SyntaxFault, dump_document, read_document
from provetune.problem.faults import Check, Fault, Keys, show
from provetune.problem.overrides import Overridden, apply_overrides
from provetune.problem.syntax import Problem
from provetune.problem.validation import keep_sound, validate

__all__ = ["Check", "Fault", "ProblemFile", "dump_resolved", "parse_problem", "read_problem"]

_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True)
class ProblemFile:
    """A problem and the file it was read from.

    Attributes:
        problem: what the file says, overrides applied.
        path: the file.
        text: its text as written.
        lines: keys → line (from 1), for keys that stand in the file.
        origins: keys → ``--set …`` for values that an override set.
    """

    problem: Problem
    path: Path
    text: str
    lines: Mapping[Keys, int]
    origins: Mapping[Keys, str] = field(default_factory=dict)

    def where(self, *keys: str | int) -> str:
        """The place of a key as errors name it: ``problem.yaml:12``, or ``--set study.seeds``.

        A key that is not in the file has the place of the section it would stand in.
        """
        return _place(self.path.name, self.lines, self.origins, keys)[1]


def read_problem(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    checks: Sequence[Check] = (),
    baseline_of: BaselineOf | None = None,
) -> ProblemFile:
    """Read and check a problem file.

    Args:
        path: the file.
        overrides: ``a.b=value`` texts that take the place of the file's values.
        checks: further checks of the content; see `provetune.problem.faults.Check`.
        baseline_of: the method that a task's studies always have, by the task's name; tfidf for all when left out.

    Raises:
        ProblemFileError: every fault of the file at once, in the order of its lines.
        UsageError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    return parse_problem(_read_text(path), path, overrides=overrides, checks=checks, baseline_of=baseline_of)


def parse_problem(
    text: str,
    path: Path,
    *,
    overrides: Sequence[str] = (),
    checks: Sequence[Check] = (),
    baseline_of: BaselineOf | None = None,
) -> ProblemFile:
    """Check the text of a problem file; `path` is what errors call it. See `read_problem`."""
    try:
        document = read_document(text)
    except SyntaxFault as fault:
        raise _stop(path, fault.line, fault.message, fault.hint) from fault
    if document.value is None and not document.faults:
        raise _stop(path, 1, "The file is empty.", "`provetune init DATA.csv` drafts one.")
    if not isinstance(document.value, dict):
        message = f"The file must hold keys and values, such as 'name: my-problem'. Got {show(document.value)} instead."
        raise _stop(path, 1, message, "`provetune init DATA.csv` drafts one.")
    overridden = apply_overrides(document.value, overrides)
    problem, faults = _check(overridden.value, checks, overridden.origins, baseline_of)
    located = _locate(path, document, overridden, faults)
    if located or problem is None:
        raise ProblemFileError(located)
    return ProblemFile(problem, path, text, _lines_left(document, overridden), overridden.origins)


def dump_resolved(problem: Problem) -> str:
    """A problem as YAML with every field spelled out; `read_problem` reads the same problem back."""
    return dump_document(problem.model_dump())


def _check(
    content: Mapping[str, Any], checks: Sequence[Check], origins: Mapping[Keys, str], baseline_of: BaselineOf | None
) -> tuple[Problem | None, list[Fault]]:
    """The syntax, the claims and the caller's checks. Where two name one place, the first to look speaks."""
    problem, faults = validate(content)
    sound = keep_sound(content)
    if sound.get("data", {}).get("train") is None and not any(fault.keys[:1] == ("data",) for fault in faults):
        faults.append(Fault(("data", "train"), "'data.train' is missing.", "Name the file with labelled rows."))
    named = content.get("candidates")
    candidates = named if isinstance(named, Mapping) else {}
    names = [
        *candidates,
        *filter(None, [implied_baseline(candidates, (baseline_of or always_words)(content.get("task")))]),
    ]
    replaced_by = None if ("claims",) in origins else origins.get(("candidates",))
    own = [
        *check_claims(sound.get("claims", []), names, replaced_by=replaced_by),
        *_check_accept(sound.get("accept", {})),
    ]
    spoken = {fault.keys for fault in own}
    faults = [fault for fault in faults if fault.keys not in spoken] + own
    spoken = {fault.keys for fault in faults}
    for check in checks:
        faults.extend(fault for fault in check(sound) if fault.keys not in spoken)
    return problem, faults


def _check_accept(accept: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for key, level in accept.items():
        keys = ("accept", key)
        try:
            scope = str(parse_accept_key(key))
            if scope in seen:
                faults.append(Fault(keys, f"'{key}' asks for the same as '{seen[scope]}'.", "Keep one of the two."))
            seen.setdefault(scope, key)
            if isinstance(level, str):
                parse_level(level)
            else:
                message = f"The level of '{key}' must be a comparison in quotes. Got {show(level)} instead."
                faults.append(Fault(keys, message, "Write it as '>= 0.90', quotes included."))
        except ClaimSyntaxError as error:
            faults.append(Fault(keys, error.message, error.hint))
    return faults


def _locate(path: Path, document: Document, overridden: Overridden, faults: list[Fault]) -> list[ProvetuneError]:
    """Faults with their places, in the order of the file's lines; what overrides did comes last."""
    placed: list[tuple[int, str, Fault]] = []
    for line, fault in document.faults:
        if not _covers(overridden.origins, fault.keys):
            placed.append((line, f"{path.name}:{line}", fault))
    lines = _lines_left(document, overridden)
    for fault in faults:
        line, where = _place(path.name, lines, overridden.origins, fault.keys)
        placed.append((line, where, fault))
    last = max((line for line, _, _ in placed), default=0) + 1
    placed.extend((last, where, fault) for where, fault in overridden.faults)
    placed.sort(key=lambda item: item[0])
    return [UsageError(fault.message, where=where, hint=fault.hint) for _, where, fault in placed]


def _lines_left(document: Document, overridden: Overridden) -> dict[Keys, int]:
    """Lines of the keys whose values still come from the file."""
    return {keys: line for keys, line in document.lines.items() if not _covers(overridden.origins, keys)}


def _covers(origins: Mapping[Keys, str], keys: Keys) -> bool:
    return any(keys[:cut] in origins for cut in range(1, len(keys) + 1))


def _place(name: str, lines: Mapping[Keys, int], origins: Mapping[Keys, str], keys: Keys) -> tuple[int, str]:
    """Line and text of the place that comes nearest to `keys`; an override's line is after all others."""
    after = max(lines.values(), default=1) + 1
    if keys not in lines:
        inside = next((text for under, text in origins.items() if keys and under[: len(keys)] == keys), None)
        if inside is not None:
            return after, inside
    for cut in range(len(keys), -1, -1):
        if keys[:cut] in origins:
            return after, origins[keys[:cut]]
        if keys[:cut] in lines:
            line = lines[keys[:cut]]
            return line, f"{name}:{line}"
    return 1, f"{name}:1"


def _stop(path: Path, line: int, message: str, hint: str | None) -> ProblemFileError:
    return ProblemFileError([UsageError(message, where=f"{path.name}:{line}", hint=hint)])


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        siblings = sorted(item.name for item in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        guess = nearest(path.name, siblings)
        hint = f"Did you mean '{path.with_name(guess)}'?" if guess else "`provetune init DATA.csv` drafts one."
        raise UsageError(f"There is no problem file '{path}'.", hint=hint) from error
    except IsADirectoryError as error:
        raise UsageError(f"'{path}' is a folder.", hint="Name the problem file in it.") from error
    except PermissionError as error:
        raise UsageError(f"'{path}' cannot be read.", hint="Its permissions do not allow it.") from error
    encoding = next((known for mark, known in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _stop(path, line, f"This line is not {encoding.upper()} text.", "Save the file as UTF-8.") from error
