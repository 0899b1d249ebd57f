"""The problem file's JSON Schema, for editors that check and complete while a person types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from provetune.problem.syntax import Candidate, Problem

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def problem_schema(method_settings: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """The JSON Schema of a problem file.

    Args:
        method_settings: method name → the fields it adds to a candidate. A candidate may have those of its own
            method and no others.
    """
    schema = Problem.model_json_schema()
    definitions = schema["$defs"]
    candidate = definitions[Candidate.__name__]
    candidate.pop("additionalProperties", None)
    candidate["unevaluatedProperties"] = False
    if method_settings:
        candidate["properties"]["method"]["enum"] = sorted(method_settings)
    candidate["allOf"] = [_condition(name, settings, definitions) for name, settings in sorted(method_settings.items())]
    return {"$schema": _DIALECT, **schema}


def _condition(method: str, settings: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """If the candidate has this method, then it may have these fields."""
    own = settings.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(own.get("$defs", {}))
    then: dict[str, Any] = {"properties": own.get("properties", {})}
    if own.get("required"):
        then["required"] = own["required"]
    return {"if": {"properties": {"method": {"const": method}}, "required": ["method"]}, "then": then}
