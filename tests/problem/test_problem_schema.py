"""What is made from the syntax: the JSON Schema, the table of fields, and types in words."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from provetune.problem.field_types import choices, describe
from provetune.problem.json_schema import problem_schema
from provetune.problem.reference import field_reference
from provetune.problem.syntax import Candidate, Problem


class LoraSettings(BaseModel):
    rank: int = Field(8, ge=1, description="Rank of the added matrices.")
    where: Literal["attention", "all"] = Field("all", description="Which layers get them.")


class PlainSettings(BaseModel):
    pass


METHODS = {"lora": LoraSettings, "full": PlainSettings}


def test_the_schema_knows_every_field_with_its_description():
    schema = problem_schema(METHODS)

    assert schema["$schema"].endswith("2020-12/schema")
    assert set(schema["properties"]) == set(Problem.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Split"]["properties"]["test"] == {
        "default": 0.2,
        "description": "Share of the rows that is sealed for the test.",
        "exclusiveMaximum": 1,
        "exclusiveMinimum": 0,
        "title": "Test",
        "type": "number",
    }
    for definition in (schema, *schema["$defs"].values()):
        for field in definition.get("properties", {}).values():
            assert field.get("description") or "$ref" in field  # a section describes itself


def test_a_candidate_may_have_its_own_methods_fields_and_no_others():
    candidate = problem_schema(METHODS)["$defs"]["Candidate"]
    full, lora = candidate["allOf"]

    assert candidate["unevaluatedProperties"] is False
    assert "additionalProperties" not in candidate
    assert candidate["properties"]["method"]["enum"] == ["full", "lora"]
    assert full["then"] == {"properties": {}}
    assert lora["if"] == {"properties": {"method": {"const": "lora"}}, "required": ["method"]}
    assert lora["then"]["properties"]["rank"]["description"] == "Rank of the added matrices."


def test_making_the_schema_twice_gives_the_same():
    assert problem_schema(METHODS) == problem_schema(METHODS)


def test_the_schema_agrees_with_a_reference_validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = problem_schema(METHODS)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    def valid(candidate):
        return validator.is_valid({"name": "x", "candidates": {"a": candidate}})

    assert valid({"method": "lora", "rank": 4, "epochs": "auto"})
    assert valid({"method": "full", "epochs": 3})
    assert not valid({"method": "full", "rank": 4})
    assert not valid({"method": "lora", "rank": 0})
    assert not valid({"method": "lora", "rnak": 4})
    assert not valid({"method": "other"})
    assert not valid({})
    assert not validator.is_valid({"name": "x", "seeds": 3})


def test_the_reference_lists_every_field_once_with_a_description():
    entries = field_reference(METHODS)
    paths = [entry.path for entry in entries]

    assert len(paths) == len(set(paths))
    assert all(entry.description for entry in entries)
    assert [path for path in paths if "." not in path] == list(Problem.model_fields)
    assert {f"candidates.NAME.{name}" for name in Candidate.model_fields} < set(paths)
    assert paths.index("candidates") < paths.index("candidates.NAME.rank") < paths.index("claims")


def test_the_reference_says_type_default_and_method():
    entries = {entry.path: entry for entry in field_reference(METHODS)}

    assert entries["name"][1:3] == ("text of at most 100 characters", "required")
    assert entries["data"][1:3] == ("a section", "")
    assert entries["data.split.test"] == (
        "data.split.test",
        "a number between 0 and 1",
        "0.2",
        "Share of the rows that is sealed for the test.",
    )
    assert entries["data.train"].default == "null"
    assert entries["data.split.stratify"].default == "true"
    assert entries["candidates.NAME.epochs"][1:3] == ("a number above 0, or auto", "auto")
    assert entries["candidates.NAME.rank"] == (
        "candidates.NAME.rank",
        "a whole number of at least 1",
        "8",
        "Only with method lora: Rank of the added matrices.",
    )


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (Literal["a"], "a"),
        (Literal["a", "b"], "one of a, b"),
        (list[Literal["a", "b"]], "a list out of a, b"),
        (list[str], "a list of texts"),
        (dict[str, float], "a section of names, each with a number"),
        (str | None, "text, or null"),
        (Annotated[float, Field(ge=0, lt=1)] | Literal["auto"], "a number of at least 0 and under 1, or auto"),
        (Annotated[int, Field(ge=1, le=3)], "a whole number from 1 to 3"),
        (Annotated[str, Field(min_length=1, max_length=1)], "one character"),
        (Annotated[str, Field(min_length=1)], "text that is not empty"),
        (LoraSettings, "a section"),
        (bytes, "any value"),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(annotation) == words


def test_choices_of_a_type():
    assert choices(Literal["a", "b"] | int | None) == ["a", "b"]
    assert choices(int) == []
