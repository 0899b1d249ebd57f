"""What an alias means, on the disk and between two servers."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from provetune.core.errors import CorruptError, UsageError
from provetune.serving.aliases import AliasFile, Table, Target, check_share

ONE, TWO, THREE = (Target(name, f"/bundles/{name}") for name in ("one", "two", "three"))


def test_rolling_back_undoes_promotions_one_by_one(tmp_path: Path) -> None:
    aliases = AliasFile(tmp_path)
    aliases.change(lambda table: table.promoted("production", TWO, before=ONE))
    aliases.change(lambda table: table.promoted("production", THREE, before=ONE))
    assert AliasFile(tmp_path).read().get("production") == THREE
    assert aliases.change(lambda table: table.rolled_back("production")).get("production") == TWO
    assert aliases.change(lambda table: table.rolled_back("production")).get("production") == ONE
    with pytest.raises(UsageError, match="never meant another"):
        aliases.change(lambda table: table.rolled_back("production"))
    assert aliases.read().version == 4


def test_an_alias_can_be_taken_away_and_given_back(tmp_path: Path) -> None:
    table = Table().promoted("canary", Target("two", "/two", 0.25)).promoted("canary", None)
    assert table.get("canary") is None
    assert table.rolled_back("canary").get("canary") == Target("two", "/two", 0.25)
    assert table.rolled_back("canary").rolled_back("canary").get("canary") is None


def test_a_table_comes_back_from_json_as_it_was() -> None:
    table = Table().promoted("production", TWO, before=ONE).promoted("shadow", THREE).promoted("shadow", None)
    assert Table.from_json(table.to_json()) == table


def test_another_reader_notices_a_change(tmp_path: Path) -> None:
    mine, theirs = AliasFile(tmp_path), AliasFile(tmp_path)
    assert theirs.read() == Table()
    mine.change(lambda table: table.promoted("production", TWO))
    assert theirs.read().get("production") == TWO
    mine.change(lambda table: table.promoted("production", THREE))
    assert theirs.read().get("production") == THREE


def _promote_often(folder: str, name: str) -> None:
    aliases = AliasFile(Path(folder))
    for _ in range(10):
        aliases.change(lambda table: table.promoted("production", Target(name, name)))


def test_no_change_of_two_servers_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    servers = [context.Process(target=_promote_often, args=(str(tmp_path), name)) for name in ("a", "b")]
    for each in servers:
        each.start()
    for each in servers:
        each.join()
    assert AliasFile(tmp_path).read().version == 20


def test_a_file_that_is_no_table_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "aliases.json").write_text('{"version": 1}')
    with pytest.raises(CorruptError, match="Remove the file"):
        AliasFile(tmp_path).read()


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan")])
def test_a_share_is_between_nothing_and_all(share: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        check_share(share)
