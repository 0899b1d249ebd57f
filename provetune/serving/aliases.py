"""Which bundle an alias means, kept in a file of the workspace.

The file is whole or absent, so what was promoted survives any end of a server; two servers on one workspace share it,
each change under a lock, and each notices the other's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import write_json
from provetune.core.locks import exclusive

PRODUCTION, CANARY, SHADOW = "production", "canary", "shadow"
ALIASES = (PRODUCTION, CANARY, SHADOW)
_KEPT = 20
_FILE, _LOCK = "aliases.json", "aliases.lock"


@dataclass(frozen=True)
class Target:
    """What an alias means.

    Attributes:
        name, path: of the bundle.
        share: of requests without a model's name: those that the canary answers, or that the shadow is shown.
    """

    name: str
    path: str
    share: float = 1.0


@dataclass(frozen=True)
class Table:
    """All aliases at one time.

    Attributes:
        version: counts the changes.
        targets: by alias; an alias that means nothing is not there.
        before: what each alias meant earlier, the last one last; None for nothing.
    """

    version: int = 0
    targets: tuple[tuple[str, Target], ...] = ()
    before: tuple[tuple[str, tuple[Target | None, ...]], ...] = ()

    def get(self, alias: str) -> Target | None:
        return dict(self.targets).get(alias)

    def promoted(self, alias: str, target: Target | None, *, before: Target | None = None) -> Table:
        """The table with another meaning of an alias.

        Args:
            before: what the alias meant until now, where the table does not know.
        """
        earlier = dict(self.before)
        earlier[alias] = (*earlier.get(alias, ()), self.get(alias) or before)[-_KEPT:]
        return self._with(alias, target, earlier)

    def rolled_back(self, alias: str) -> Table:
        """The table with the meaning that an alias had before.

        Raises:
            UsageError: it never had another.
        """
        earlier = dict(self.before)
        if not earlier.get(alias):
            raise UsageError(f"The alias '{alias}' has never meant another bundle.")
        *rest, target = earlier[alias]
        earlier[alias] = tuple(rest)
        return self._with(alias, target, earlier)

    def _with(self, alias: str, target: Target | None, earlier: dict[str, tuple[Target | None, ...]]) -> Table:
        targets = {name: each for name, each in self.targets if name != alias}
        if target is not None:
            targets[alias] = target
        return replace(
            self,
            version=self.version + 1,
            targets=tuple(sorted(targets.items())),
            before=tuple(sorted(earlier.items())),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "version": self.version,
            "aliases": {alias: asdict(target) for alias, target in self.targets},
            "before": {
                alias: [None if target is None else asdict(target) for target in targets]
                for alias, targets in self.before
            },
        }

    @classmethod
    def from_json(cls, document: Any) -> Table:
        return cls(
            int(document["version"]),
            tuple((alias, Target(**target)) for alias, target in document["aliases"].items()),
            tuple(
                (alias, tuple(None if target is None else Target(**target) for target in targets))
                for alias, targets in document.get("before", {}).items()
            ),
        )


class AliasFile:
    """The table on the disk.

    Args:
        folder: made when something is first promoted.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / _FILE
        self._lock = Path(folder) / _LOCK
        self._seen: tuple[int, int] | None = None
        self._table = Table()

    def read(self) -> Table:
        """The table as it is now; an empty one where nothing was ever promoted. Read again only when it has changed.

        Raises:
            CorruptError: the file is no such table.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._table = None, Table()
            return self._table
        mark = (found.st_mtime_ns, found.st_ino)
        if mark != self._seen:
            try:
                self._table = Table.from_json(json.loads(self.path.read_text(encoding="utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CorruptError(
                    f"The aliases cannot be read ({error!r}).",
                    where=str(self.path),
                    hint="Remove the file: the first bundle of the command line is production then.",
                ) from error
            self._seen = mark
        return self._table

    def change(self, how: Callable[[Table], Table], *, wait_s: float = 10.0) -> Table:
        """Read, change and write the table while nobody else does.

        Raises:
            EnvironmentFault: another process holds it for longer than `wait_s`, or the disk says no.
        """
        with exclusive(self._lock, what="changing an alias", wait_s=wait_s):
            changed = how(self.read())
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(self.path, {**changed.to_json(), "changed": stamp})
            self._seen = None
            return self.read()


def check_share(share: float) -> float:
    """A share of traffic.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"share must be a number from 0 to 1. Got {share} instead.")
    return share
