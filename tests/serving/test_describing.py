"""Bundles as the server knows them before they are loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from served import write_network_bundle, write_plain_bundle

from provetune.core.errors import UsageError
from provetune.serving.describing import describe, name_bundles
from provetune.serving.faults import Fault
from provetune.serving.tokens import TokenCounter


def test_a_bundle_is_called_as_its_folder_as_far_up_as_needed() -> None:
    given = [(None, Path("/a/one/bundle")), (None, Path("/a/two")), (None, Path("/b/two")), ("best", Path("/c/x"))]
    assert name_bundles(given) == {
        "one": Path("/a/one/bundle"),
        "a-two": Path("/a/two"),
        "b-two": Path("/b/two"),
        "best": Path("/c/x"),
    }


@pytest.mark.parametrize("given", [[(None, Path("/a")), (None, Path("/a"))], [("x", Path("/a")), ("x", Path("/b"))]])
def test_nothing_is_given_twice(given: list[tuple[str | None, Path]]) -> None:
    with pytest.raises(UsageError):
        name_bundles(given)


def test_tokens_are_those_of_the_bundle_and_what_it_cuts_off_costs_nothing(tmp_path: Path) -> None:
    bundle = write_network_bundle(tmp_path / "net", max_length=8)
    described = describe(bundle, "net")
    assert (described.columns, described.labels) == (("text",), ("billing", "delivery", "other"))
    count = TokenCounter(described, 20)
    assert count("the card was charged") == 6  # four words, start and end
    assert count({"text": "the card", "more": ["was"]}) == 4 + 3
    assert count("the card was charged twice for same order") == 8
    assert count("") == 2
    with pytest.raises(Fault, match="20 tokens") as caught:
        count("card " * 19)
    assert caught.value.status == 413
    with pytest.raises(Fault, match=r"inputs\[3\]"):
        count("x" * 1_000_000, 3)


def test_a_kind_without_tokens_is_counted_by_letters(tmp_path: Path) -> None:
    described = describe(write_plain_bundle(tmp_path / "plain", batches=False), "plain")
    assert not described.batches
    assert TokenCounter(described, 100)("x" * 40) == 11


def test_every_error_has_the_form_that_is_described() -> None:
    import jsonschema

    from provetune.serving.access_answers import error_body
    from provetune.serving.describing_api import document
    from provetune.serving.faults import Fault, late

    described = document({}, [])
    schema = described["components"]["schemas"]["Error"]
    strict = {**schema, "properties": {"error": {**schema["properties"]["error"], "additionalProperties": False}}}
    bodies = [error_body("forbidden", "no"), late(3.0).body(), Fault(422, "invalid_request", "wrong", 2).body()]
    for body in bodies:
        jsonschema.validate(json.loads(body), strict)
    assert json.loads(bodies[2])["error"]["item"] == 2
    # Of the statuses that are ever told, none is missing where items are asked.
    told = {"400", "401", "403", "404", "408", "409", "413", "422", "429", "500", "503", "504"}
    assert told | {"200"} == set(described["paths"]["/v1/predict"]["post"]["responses"])
