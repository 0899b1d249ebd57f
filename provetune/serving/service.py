"""The bundles that are served, under their names and aliases."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from provetune.core.errors import ProvetuneError, Refused, UsageError
from provetune.core.suggest import advice
from provetune.serving.aliases import ALIASES, CANARY, PRODUCTION, SHADOW, AliasFile, Table, Target, check_share
from provetune.serving.crew import Start, start_worker
from provetune.serving.describing import Description, describe
from provetune.serving.faults import Fault, draining
from provetune.serving.lane import Lane
from provetune.serving.measures import Measures
from provetune.serving.settings import Settings
from provetune.serving.traffic import falls_in

_LOG = logging.getLogger("provetune.serving")
_LOOK_EVERY_S = 0.5
_AGAIN_AFTER_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_SALT_OF_SHADOW = 1
_ONNX = "onnx"


class Service:
    """Everything behind HTTP.

    Args:
        bundles: folder of each, by name; the first is production until another is promoted.
        settings: limits.
        workspace: where aliases are kept, and graphs made of bundles.
        library: folder whose bundles may be promoted by their names without being named at the start.
        make: makes a worker; tests put something quicker here.

    Attributes:
        draining: whether a shutdown has begun.
    """

    def __init__(
        self,
        bundles: Mapping[str, Path],
        settings: Settings | None = None,
        *,
        workspace: Path,
        library: Path | None = None,
        make: Start = start_worker,
    ) -> None:
        if not bundles:
            raise UsageError("There is no bundle to serve.")
        self.settings = settings or Settings()
        if self.settings.graphs is None:
            self.settings = replace(self.settings, graphs=Path(workspace).absolute() / "serving" / "graphs")
        self.measures = Measures()
        self.draining = False
        self._make, self._library = make, library
        self._file = AliasFile(Path(workspace) / "serving")
        self._first = next(iter(bundles))
        self._named = frozenset(bundles)
        self._lanes: dict[str, Lane] = {}
        for name, path in bundles.items():
            self._add(self._describe(path, name))
        self._table = Table()
        self._watcher: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._shadows: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    # -- asking ------------------------------------------------------------------------------------------------------

    def choose(self, model: str | None, body: bytes) -> Lane:
        """The bundle that answers a request.

        Args:
            model: name or alias that the request gives; without one, production or, for its share, the canary.

        Raises:
            Fault: there is no such bundle; or the server is shutting down.
        """
        if self.draining and self._watcher is None:
            raise draining()
        if model is None:
            canary = self._target(CANARY)
            if canary is not None and falls_in(canary.share, body):
                return self._lanes[canary.name]
            model = PRODUCTION
        return self.lane(model)

    def lane(self, model: str) -> Lane:
        """The bundle of a name or alias.

        Raises:
            Fault: there is none.
        """
        found = self._lanes.get(self._name_of(model))
        if found is None:
            known = [*self._lanes, *(alias for alias in ALIASES if self._name_of(alias) in self._lanes)]
            raise Fault(404, "model_not_found", f"There is no model '{model[:80]}'. {advice(model[:80], known)}")
        return found

    def shadow_of(self, model: str | None, body: bytes) -> Lane | None:
        """The bundle that is shown a request without telling the caller; None for most."""
        target = self._target(SHADOW)
        if target is None or model is not None or not falls_in(target.share, body, _SALT_OF_SHADOW):
            return None
        return self._lanes[target.name]

    def show_shadow(self, shadow: Lane, items: list[Any], kind: Any, told: list[bytes]) -> None:
        """Ask the shadow what it would have said, and count whether that is what the caller was told. Where it has no
        time for it, it is left."""
        from provetune.serving.shadowing import compare

        if len(self._shadows) >= self.settings.queue:
            shadow.measures.shadow("dropped")
            return
        task = asyncio.get_running_loop().create_task(compare(shadow, items, kind, told))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    # -- telling -----------------------------------------------------------------------------------------------------

    @property
    def lanes(self) -> Mapping[str, Lane]:
        return self._lanes

    def aliases(self) -> dict[str, dict[str, Any]]:
        """What each alias means now: the bundle's name and the share of traffic."""
        found = {PRODUCTION: {"model": self._name_of(PRODUCTION), "share": 1.0}}
        for alias, target in self._table.targets:
            found[alias] = {"model": target.name, "share": target.share}
        return found

    def states(self) -> dict[str, str]:
        """``"ready"`` or why not, of every bundle."""
        return {name: lane.state() for name, lane in self._lanes.items()}

    def ready(self) -> bool:
        """Whether every bundle answers and no shutdown has begun."""
        return not self.draining and all(state == "ready" for state in self.states().values())

    # -- changing ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load every bundle, those that aliases mean among them.

        Raises:
            ProvetuneError: one cannot be loaded.
        """
        table = self._file.read()
        for alias, target in table.targets:
            self._check_same(alias, target)
            if target.name not in self._lanes:
                self._add(self._describe(Path(target.path), target.name))
        self._table = table
        starts = [lane.start() for lane in self._lanes.values()]
        errors = [each for each in await asyncio.gather(*starts, return_exceptions=True) if each is not None]
        if errors:
            await self.close()
            raise errors[0]
        self._watcher = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """End all workers."""
        self.draining = True
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()), *self._leaving)

    async def reload(self, model: str) -> Lane:
        """Load a bundle's folder again; what is served until then goes on.

        Raises:
            Fault: there is no such bundle.
            ProvetuneError: what lies there now cannot be loaded.
        """
        lane = self.lane(model)
        async with self._changing:
            await lane.reload(self._describe(lane.description.path, lane.description.name))
        return lane

    async def promote(self, alias: str, model: str | None, share: float = 1.0) -> dict[str, dict[str, Any]]:
        """Let an alias mean a bundle, for every server on the workspace and for good.

        Args:
            model: name or alias; None takes the alias away.

        Raises:
            UsageError: the alias, the bundle or the share is none.
            ProvetuneError: the bundle cannot be loaded.
        """
        _check_alias(alias)
        if model is None and alias == PRODUCTION:
            raise UsageError("production must mean a bundle.")
        async with self._changing:
            target = None if model is None else await self._target_of(model, check_share(share))
            first = self._lanes[self._first].description
            before = Target(first.name, str(first.path)) if alias == PRODUCTION else None
            await self._change(lambda table: table.promoted(alias, target, before=before))
        return self.aliases()

    async def rollback(self, alias: str) -> dict[str, dict[str, Any]]:
        """Let an alias mean what it meant before.

        Raises:
            UsageError: it is no alias, or never meant anything else.
        """
        _check_alias(alias)
        async with self._changing:
            # What cannot be loaded must not be what the file says.
            await self._load_all(self._file.read().rolled_back(alias))
            await self._change(lambda table: table.rolled_back(alias))
        return self.aliases()

    async def _change(self, how: Any) -> None:
        table = await asyncio.to_thread(self._file.change, how)
        await self._take(table)

    async def _take(self, table: Table) -> None:
        """Let a table hold once all bundles that it names are loaded; those that nobody means any more go."""
        await self._load_all(table)
        self._table = table
        meant = {target.name for _, target in table.targets}
        meant |= {targets[-1].name for _, targets in table.before if targets and targets[-1] is not None}
        for name in [name for name in self._lanes if name not in self._named | meant]:
            task = asyncio.get_running_loop().create_task(self._lanes.pop(name).retire())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _load_all(self, table: Table) -> None:
        for alias, target in table.targets:
            self._check_same(alias, target)
            if target.name not in self._lanes:
                await self._load(self._describe(Path(target.path), target.name))

    def _check_same(self, alias: str, target: Target) -> None:
        """Refuse an alias whose bundle is another than the one that is served under its name."""
        lane = self._lanes.get(target.name)
        if lane is not None and str(lane.description.path) != target.path:
            raise Refused(
                f"The alias '{alias}' means another bundle called '{target.name}' than the one that is served so.",
                where=f"{lane.description.path}, not {target.path}",
                hint="Name this one otherwise: NAME=BUNDLE.",
            )

    async def _follow(self) -> None:
        """Notice what another server on the workspace has changed. What cannot be taken is tried again later."""
        refused, again = -1, 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._changing.locked():
                continue
            try:
                table = self._file.read()
                if table.version == self._table.version or (table.version == refused and time.monotonic() < again):
                    continue
                refused = table.version
                async with self._changing:
                    await self._take(table)
            except (ProvetuneError, OSError) as error:
                if time.monotonic() >= again:
                    again = time.monotonic() + _AGAIN_AFTER_S
                    _LOG.error("The aliases stay as they were: %s", error)

    async def _target_of(self, model: str, share: float) -> Target:
        name = self._name_of(model)
        if name not in self._lanes:
            await self._load(self._describe(self._in_library(name), name))
        return Target(name, str(self._lanes[name].description.path), share)

    def _in_library(self, name: str) -> Path:
        """The folder of a bundle that was not named at the start. Names are names: no separators, no leading dot."""
        if self._library is None or not _NAME.fullmatch(name) or not (self._library / name).is_dir():
            raise UsageError(f"There is no bundle '{name[:80]}'.", hint=advice(name[:80], list(self._lanes)))
        return self._library / name

    async def _load(self, description: Description) -> None:
        lane = Lane(description, self.settings, self.measures.lane(description.name), self._make)
        await lane.start()
        self._lanes[description.name] = lane

    def _add(self, description: Description) -> None:
        lane = Lane(description, self.settings, self.measures.lane(description.name), self._make)
        self._lanes[description.name] = lane

    def _describe(self, path: Path, name: str) -> Description:
        if name in ALIASES:
            raise UsageError(
                f"A bundle cannot be called '{name}': that is an alias.", hint="Name it otherwise: NAME=BUNDLE."
            )
        found = describe(path, name)
        _check_backend(found, self.settings.backend)
        return found

    def _name_of(self, model: str) -> str:
        target = self._table.get(model)
        if target is not None:
            return target.name
        return self._first if model == PRODUCTION else model

    def _target(self, alias: str) -> Target | None:
        target = self._table.get(alias)
        return target if target is not None and target.name in self._lanes else None


def _check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise UsageError(f"There is no alias '{alias[:80]}'.", hint=advice(alias[:80], list(ALIASES)))


def _check_backend(description: Description, backend: str) -> None:
    """Whether a bundle can be computed by what was asked for. Whether a graph can be made of it, its worker says."""
    if backend == "torch" and description.kind == _ONNX:
        raise Refused(
            f"The bundle '{description.name}' is computed by ONNX Runtime alone.", hint="Leave --backend at auto."
        )
