"""What a prediction is asked with: read by hand, for it is read a thousand times a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provetune.core.suggest import advice
from provetune.serving.faults import Fault, invalid

FIELDS = ("model", "input", "inputs", "top_k", "proba", "stream")
MOST_TOP_K = 10_000


@dataclass(frozen=True)
class PredictRequest:
    """A checked body of ``/v1/predict``.

    Attributes:
        model: name or alias, None for what the aliases say.
        items: what is asked.
        many: whether they came as ``inputs``, so that answers are a list.
        options: top_k and proba, which items of one batch share.
    """

    model: str | None
    items: list[Any]
    many: bool
    options: tuple[int | None, bool]
    stream: bool


def parse(document: dict[str, Any]) -> PredictRequest:
    """A body's object as a request.

    Raises:
        Fault: a field is unknown or has no such value.
    """
    for name in document:
        if name not in FIELDS:
            raise invalid(f"There is no field '{name[:80]}'. {advice(name[:80], FIELDS)}")
    one, several = "input" in document, "inputs" in document
    if one == several:
        found = "both" if one else "neither"
        raise invalid(f"Give one item as 'input' or a list of them as 'inputs'. Got {found} instead.")
    items = [document["input"]] if one else document["inputs"]
    if not isinstance(items, list) or not items:
        raise invalid("inputs must be a list of one item at least.")
    for number, item in enumerate(items):
        if not isinstance(item, str | dict | list):
            where = "input" if one else f"inputs[{number}]"
            raise invalid(f"{where}: an item must be a text, a list or an object.", None if one else number)
    return PredictRequest(
        model=read_model(document),
        items=items,
        many=several,
        options=_options(document),
        stream=_stream(document, several),
    )


def read_model(document: dict[str, Any]) -> str | None:
    """The name or alias that a body gives.

    Raises:
        Fault: it is no text.
    """
    model = document.get("model")
    if model is not None and not isinstance(model, str):
        raise invalid("model must be a name.")
    return model or None


def read_switch(document: dict[str, Any], name: str) -> bool:
    """A field that is true or false, and false where it is not there.

    Raises:
        Fault: it is anything else.
    """
    found = document.get(name)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise invalid(f"{name} must be true or false.")
    return found


def _options(document: dict[str, Any]) -> tuple[int | None, bool]:
    top_k = document.get("top_k")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= MOST_TOP_K):
        raise invalid(f"top_k must be a whole number from 1 to {MOST_TOP_K}.")
    return top_k, read_switch(document, "proba")


def _stream(document: dict[str, Any], several: bool) -> bool:
    stream = read_switch(document, "stream")
    if stream and several:
        raise Fault(422, "invalid_request", "A stream answers one item: give it as 'input'.")
    return stream
