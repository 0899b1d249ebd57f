"""Which steps a line asks for, and what it says about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provetune.compression.asked import describe, read_asked, read_plan
from provetune.compression.compress import places
from provetune.compression.steps import STEPS
from provetune.core.errors import UsageError


def test_commas_and_repeats_are_alike() -> None:
    assert [each.name for each in read_asked(["drop_layers,prune_ffn"])] == ["drop_layers", "prune_ffn"]
    assert [each.name for each in read_asked(["drop_layers", "prune_ffn"])] == ["drop_layers", "prune_ffn"]


def test_settings_are_read_as_a_problem_file_has_them() -> None:
    (asked,) = read_asked(
        ["drop_layers"], ["drop_layers.keep=3", "drop_layers.which=spread", "drop_layers.epochs=1e-1"]
    )
    settings: Any = asked.settings
    assert (settings.keep, settings.which, settings.epochs) == (3, "spread", 0.1)
    assert asked.identity(5)["settings"]["keep"] == 3


@pytest.mark.parametrize(
    ("to", "settings", "said"),
    [
        ([], [], "No step is named"),
        (["drop_layer"], [], "Did you mean 'drop_layers'"),
        (["drop_layers,drop_layers"], [], "named twice"),
        (["drop_layers"], ["drop_layers.kep=3"], "Did you mean 'keep'"),
        (["drop_layers"], ["prune_ffn.share=0.5"], "not among those named"),
        (["drop_layers"], ["keep=3"], "must be STEP.FIELD=VALUE"),
        (["drop_layers"], ["drop_layers.keep=0"], "drop_layers.keep"),
        (["drop_layers"], ["drop_layers.keep=[1"], "YAML"),
    ],
)
def test_what_is_wrong_is_one_line(to: list[str], settings: list[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_asked(to, settings)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_places_are_named_after_the_chain() -> None:
    found = places(Path("/x/bundle"), ["a", "b"])
    assert found == [Path("/x/bundle-a"), Path("/x/bundle-a-b")]
    assert places(Path("/x/bundle"), ["a", "b"], "/y/small") == [Path("/y/bundle-a"), Path("/y/small")]


def test_fastest_stands_for_the_ways_that_the_chain_has_not_gone() -> None:
    chain, ways = read_plan(["drop_layers,fastest"], ["int8.rows=7"])
    assert [each.name for each in chain] == ["drop_layers"]
    assert [each.name for each in ways] == ["onnx", "int8", "int8_static"]
    settings: Any = ways[1].settings
    assert settings.rows == 7
    assert [each.name for each in read_plan(["onnx", "fastest"])[1]] == ["int8", "int8_static"]
    assert read_plan(["onnx"])[1] == []
    with pytest.raises(UsageError, match="'fastest' comes last"):
        read_plan(["fastest,drop_layers"])


def test_merging_is_said_to_be_done_already() -> None:
    with pytest.raises(UsageError, match=r"merged \(lora, adalora, ia3\) are, when a bundle is written"):
        read_asked(["merge_adapter"])


@pytest.mark.parametrize("name", STEPS.names())
def test_every_step_says_what_it_is(name: str) -> None:
    step = STEPS.get(name)
    told = describe(step)
    assert told["name"] == name
    assert told["summary"].endswith(".")
    assert told["takes"]
    assert all(setting["description"] for setting in told["settings"])
    step.settings()  # every setting has a default


def test_the_page_names_every_step() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how_to" / "compress.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert named == set(STEPS.names())
