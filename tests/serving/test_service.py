"""Bundles under their aliases, with workers in the same process: what cannot be loaded, what is let go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from quick_worker import QuickWorkers
from served import write_plain_bundle

from provetune.core.errors import ProvetuneError, Refused
from provetune.serving import service as module
from provetune.serving.aliases import AliasFile, Target
from provetune.serving.service import Service


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("library")
    write_plain_bundle(place / "one")
    for name in ("two", "three", "four"):
        shutil.copytree(place / "one", place / name)
    return place


def served(library: Path, workspace: Path, workers: QuickWorkers, work: Callable[[Service], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        service = Service({"one": library / "one"}, workspace=workspace, library=library, make=workers)
        await service.start()
        try:
            return await work(service)
        finally:
            await service.close()

    return asyncio.run(run())


def test_bundles_that_nobody_means_any_more_go(library: Path, tmp_path: Path) -> None:
    async def promote(service: Service) -> list[list[str]]:
        found = []
        for name in ("two", "three", "four"):
            await service.promote("production", name)
            await asyncio.sleep(0.01)
            found.append(list(service.lanes))
        await service.rollback("production")
        return [*found, list(service.lanes)]

    workers = QuickWorkers()
    first, second, third, back = served(library, tmp_path, workers, promote)
    # The one before stays for a rollback, and the one that was named at the start stays for ever.
    assert (first, second, third) == (["one", "two"], ["one", "two", "three"], ["one", "three", "four"])
    assert set(back) == {"one", "three"}
    assert sum(each.alive for each in workers.made) == 0


def test_what_cannot_be_loaded_is_never_what_the_file_says(library: Path, tmp_path: Path) -> None:
    async def roll_back(service: Service) -> tuple[str, str]:
        await service.promote("canary", "two", 0.5)
        await service.promote("canary", "three", 0.5)
        await service.promote("canary", None)
        await service.promote("shadow", None)
        await asyncio.sleep(0.01)
        service._lanes.pop("three")
        workers.broken = {str(library / "three")}
        before = AliasFile(tmp_path / "serving").read()
        with pytest.raises(ProvetuneError, match="not what was written"):
            await service.rollback("canary")
        assert AliasFile(tmp_path / "serving").read() == before
        return before.get("canary"), service.aliases().get("canary")

    workers = QuickWorkers()
    assert served(library, tmp_path, workers, roll_back) == (None, None)


def test_a_change_that_cannot_be_taken_is_not_tried_all_the_time(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.005)
    workers = QuickWorkers()
    workers.broken = {str(library / "two")}

    async def follow(service: Service) -> None:
        other = AliasFile(tmp_path / "serving")
        other.change(lambda table: table.promoted("canary", Target("two", str(library / "two"), 1.0)))
        await asyncio.sleep(0.2)
        assert service.aliases().get("canary") is None
        # Another change is tried at once, and the watch goes on.
        other.change(lambda table: table.promoted("canary", Target("three", str(library / "three"), 1.0)))
        await asyncio.sleep(0.2)
        assert service.aliases()["canary"]["model"] == "three"

    served(library, tmp_path, workers, follow)
    assert workers.started.count(str(library / "two")) == 1
    assert caplog.text.count("The aliases stay as they were") == 1


def test_a_file_that_cannot_be_read_for_a_while_stops_nothing(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.005)
    away = [True]
    read = AliasFile.read

    async def follow(service: Service) -> None:
        AliasFile(tmp_path / "serving").change(
            lambda table: table.promoted("canary", Target("two", str(library / "two"), 1.0))
        )

        def refusing(self: AliasFile) -> Any:
            if away[0]:
                raise PermissionError(13, "Permission denied")
            return read(self)

        monkeypatch.setattr(AliasFile, "read", refusing)
        await asyncio.sleep(0.05)
        away[0] = False
        await asyncio.sleep(0.1)
        assert service.aliases()["canary"]["model"] == "two"

    served(library, tmp_path, QuickWorkers(), follow)


def test_another_bundle_of_the_same_name_is_not_taken_for_the_one_that_was_promoted(
    library: Path, tmp_path: Path
) -> None:
    AliasFile(tmp_path / "serving").change(
        lambda table: table.promoted("production", Target("one", str(tmp_path / "elsewhere" / "one")))
    )
    with pytest.raises(Refused, match="means another bundle called 'one'"):
        served(library, tmp_path, QuickWorkers(), lambda service: asyncio.sleep(0))


def test_a_forced_bundle_says_so_wherever_it_is_served(tmp_path: Path) -> None:
    place = write_plain_bundle(tmp_path / "bent", forced=[{"step": "drop_layers", "broke": ["accuracy is 0.5"]}])

    async def told() -> Any:
        service = Service({"bent": place}, workspace=tmp_path / "w", make=QuickWorkers())
        return service.lane("bent").description.to_json()["forced"]

    assert asyncio.run(told()) == ["drop_layers"]
