"""The OpenAPI document: what each bundle takes and gives, made from its task, with an example of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from provetune.serving.describing import Description
from provetune.serving.routes import ROUTES

_TEXT = {"type": "string", "minLength": 1}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string", "description": "A name that stays the same, for programs."},
                "message": {"type": "string", "description": "What is wrong and what to do, for people."},
                "code": {"type": "string", "description": "As type, where clients of OpenAI's interface look for it."},
                "item": {"type": "integer", "description": "Number of the item at fault, from 0."},
            },
        }
    },
}
_STATUSES = {
    "400": "The body is not JSON.",
    "401": "A key is needed.",
    "403": "The key may not do this, or the request names another server or comes from another site.",
    "404": "There is no such model.",
    "408": "The body came too slowly.",
    "409": "The bundle cannot be loaded; what was served goes on.",
    "413": "An item has more tokens than a batch may have, or there are too many.",
    "422": "A field or an item is wrong; it is named.",
    "429": "The queue is full, or the key's rate is used up; see Retry-After.",
    "500": "The model failed.",
    "503": "The worker died, keys cannot be checked, or the server is shutting down; see Retry-After.",
    "504": "There was no answer within the deadline.",
}
_MESSAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": _TEXT},
    },
}
_KEY_SCHEMAS: dict[str, Any] = {
    "label": {"type": ["string", "array", "null"]},
    "score": {"type": ["number", "null"]},
    "value": {"type": ["number", "null"]},
    "text": {"type": ["string", "null"]},
    "answer": {"type": ["string", "null"]},
    "start": {"type": ["integer", "null"]},
    "end": {"type": ["integer", "null"]},
    "embedding": {"type": "array", "items": {"type": "number"}},
    "spans": {"type": "array", "items": {"type": "object"}},
    "document": {"type": ["string", "null"]},
}


def item_schema(description: Description) -> dict[str, Any]:
    """One item of a bundle: a text, the texts of a pair, or an object of its columns; a conversation for chat."""
    row = {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in description.columns},
        "example": description.example if isinstance(description.example, dict) else None,
    }
    if row["example"] is None:
        del row["example"]
    if description.task == "chat":
        return {"anyOf": [_TEXT, _MESSAGES, {"type": "object"}], "example": description.example}
    if len(description.columns) == 1:
        return {"anyOf": [_TEXT, row], "example": description.example}
    count = len(description.columns)
    texts = {"type": "array", "minItems": count, "maxItems": count, "items": {"type": "string"}}
    return {"anyOf": [texts, row], "example": description.example}


def answer_schema(description: Description) -> dict[str, Any]:
    """One answer of a bundle: the keys of its task."""
    return {
        "type": "object",
        "required": list(description.answer_keys),
        "properties": {key: _KEY_SCHEMAS.get(key, {}) for key in description.answer_keys},
    }


def document(base: dict[str, Any], descriptions: Iterable[Description]) -> dict[str, Any]:
    """FastAPI's document with the addresses that it does not serve itself.

    Args:
        base: what FastAPI made of the others.
        descriptions: the bundles that are served; the first one's example stands at the top.
    """
    known = list(descriptions)
    schemas = base.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"] = _ERROR
    paths = base.setdefault("paths", {})
    bodies = {
        "/v1/predict": (_predict_body(known), _predict_answer(known)),
        "/v1/chat/completions": (_chat_body(known), {"type": "object"}),
        "/v1/embeddings": (_embeddings_body(known), {"type": "object"}),
    }
    for route in ROUTES:
        place = paths.setdefault(route.path, {}).setdefault(route.method.lower(), {})
        place.setdefault("summary", route.summary)
        place["x-scope"] = route.scope
        if route.path in bodies:
            body, answer = bodies[route.path]
            place["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
            place["responses"] = {"200": {"description": "The answer.", "content": _content(answer)}}
        responses = place.setdefault("responses", {"200": {"description": "The answer."}})
        if route.scope != "open":
            for status, meaning in _STATUSES.items():
                responses[status] = {
                    "description": meaning,
                    "content": _content({"$ref": "#/components/schemas/Error"}),
                }
    return base


def _predict_body(known: list[Description]) -> dict[str, Any]:
    items = _either([item_schema(each) for each in known])
    example = {"input": known[0].example} if known else {}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "model": {"type": "string", "description": "Name or alias; production when left out."},
            "input": {**items, "description": "One item."},
            "inputs": {"type": "array", "minItems": 1, "items": items, "description": "Many items, instead of input."},
            "top_k": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Add the k likeliest answers."},
            "proba": {"type": "boolean", "description": "Add the probability of every label."},
            "stream": {"type": "boolean", "description": "Tell the answer while it is written (chat)."},
        },
        "oneOf": [{"required": ["input"]}, {"required": ["inputs"]}],
        "example": example,
    }


def _predict_answer(known: list[Description]) -> dict[str, Any]:
    answers = _either([answer_schema(each) for each in known])
    return {
        "type": "object",
        "required": ["model"],
        "properties": {
            "model": {"type": "string", "description": "The bundle that answered."},
            "answer": answers,
            "answers": {"type": "array", "items": answers},
        },
    }


def _chat_body(known: list[Description]) -> dict[str, Any]:
    example = {"messages": [{"role": "user", "content": "My card was charged twice."}]}
    return {
        "type": "object",
        "required": ["messages"],
        "properties": {"model": {"type": "string"}, "messages": _MESSAGES, "stream": {"type": "boolean"}},
        "example": example,
    }


def _embeddings_body(known: list[Description]) -> dict[str, Any]:
    texts = {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]}
    return {
        "type": "object",
        "required": ["input"],
        "properties": {
            "model": {"type": "string"},
            "input": texts,
            "encoding_format": {"enum": ["float", "base64"]},
        },
        "example": {"input": "How do I change my password?"},
    }


def _either(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    different = [each for number, each in enumerate(schemas) if each not in schemas[:number]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
