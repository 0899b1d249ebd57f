"""Where a candidate's pretrained model comes from: a folder, the catalogue, the hub, or `auto`.

Finding reads small JSON files and hashes only; torch and transformers are not loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json, sha256_file
from provetune.core.suggest import advice
from provetune.models import catalogue, own
from provetune.models.bundle.card import ADAPTED
from provetune.models.bundle.record import RECORD, read_record
from provetune.models.download import ORIGIN, Listener, get
from provetune.models.hub import find_in_hub
from provetune.models.padding import MULTIPLE

Source: TypeAlias = Literal["folder", "catalogue", "hub", "own"]

# These families number their positions from padding_idx + 1, so that many fewer tokens fit.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text"})
_DEFAULT_POSITIONS = 512
_ENDLESS = 1_000_000
_HASHED = (".json", ".jinja", ".txt", ".model", ".spm", ".safetensors", ".bin")
_SPELT: Mapping[catalogue.Kind, str] = {
    "encoder": "an encoder",
    "decoder": "a decoder, which goes on with texts",
    "encoder_decoder": "an encoder-decoder, which turns texts into texts",
}
_UNHASHED = (ORIGIN, "README.md")


@dataclass(frozen=True)
class Backbone:
    """A pretrained model on this machine.

    Attributes:
        name: as the problem file names it; `auto` is already replaced.
        path: folder with ``config.json``, weights and tokenizer.
        family: transformers' model type, e.g. ``"bert"``.
        languages: ISO codes it was trained on; empty where nothing says so.
        content_hash: SHA-256 over its files; equal content, equal hash, wherever it lies.
        max_positions: most tokens a text may have.
        source: where it came from.
        licence: licence and what to know about it; None where nothing says so.
        width: hidden size; None where the configuration does not say.
    """

    name: str
    path: Path
    family: str
    languages: tuple[str, ...]
    content_hash: str
    max_positions: int
    source: Source
    licence: str | None = None
    width: int | None = None


def find_backbone(
    name: str,
    language: str = "und",
    *,
    base: Path | None = None,
    progress: Listener | None = None,
    kind: catalogue.Kind = "encoder",
) -> Backbone:
    """The backbone called `name`, fetched first where it is not on this machine.

    Args:
        name: ``"auto"``, a name of the catalogue or of a backbone of one's own, a folder, or a name of the hub. A
            folder named like one of the former is meant when it is written with a ``./`` before it.
        language: decides what ``"auto"`` means.
        base: folder that relative paths start from; the current one when left out.
        progress: told about a download of the catalogue.
        kind: the kind of architecture that the task works with.

    Raises:
        UsageError: there is no such model, or it is of another kind.
        EnvironmentFault: it cannot be fetched.
        CorruptError: its files are not what was recorded for them.
    """
    if name == "auto":
        name = catalogue.default_backbone(language, kind)
    if name in catalogue.names():
        return _from_catalogue(name, kind, progress)
    if name in own.names():
        return _from_own(name, kind)
    folder = (base or Path()) / Path(name).expanduser()
    if folder.is_dir():
        return _of_kind(kind, describe(folder, name=name, source="folder"))
    if _is_path(name):
        raise UsageError(
            f"There is no folder '{name}' with a model.",
            where=str(folder),
            hint=_others(name, kind),
        )
    return _of_kind(kind, describe(find_in_hub(name), name=name, source="hub"))


def _others(name: str, kind: catalogue.Kind) -> str:
    """What else could be named where there is no folder of this name."""
    if not catalogue.of_kind(kind):
        return (
            f"This task works with {_SPELT[kind]}, and the catalogue has none: name a folder with config.json, weights "
            "and tokenizer, or a model of the hub."
        )
    return advice(name, [*(entry.name for entry in catalogue.of_kind(kind)), *own.names()])


def describe(folder: Path, *, name: str, source: Source) -> Backbone:
    """The backbone in a folder.

    Raises:
        UsageError: the folder has no ``config.json`` that names a model type, or no weights; or it is a bundle whose
            model is nothing without what stands beside it.
    """
    folder = Path(folder).absolute()
    config = _read_config(folder)
    if (folder / RECORD).is_file() and read_record(folder)["bundle_kind"] == ADAPTED:
        raise UsageError(
            f"'{name}' is a bundle whose model answers with its adapter alone; it cannot be a backbone.",
            hint="Name the backbone that it was made from; `adapter/origin.json` in it says which.",
        )
    return Backbone(
        name=name,
        path=folder,
        family=str(config["model_type"]),
        languages=(),
        content_hash=content_hash(folder),
        max_positions=_max_positions(folder, config),
        source=source,
        width=_width(config),
    )


def _of_kind(kind: catalogue.Kind, backbone: Backbone) -> Backbone:
    """The backbone, if its configuration does not say that it is of another kind."""
    paired = bool(_read_config(backbone.path).get("is_encoder_decoder"))
    if kind != "encoder" and paired != (kind == "encoder_decoder"):
        found = _SPELT["encoder_decoder"] if paired else "no encoder-decoder"
        raise UsageError(
            f"'{backbone.name}' ({backbone.family}) is {found}; this task works with {_SPELT[kind]}.",
            hint="Name another folder or hub model as backbone.",
        )
    return backbone


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a model folder's files (weights, configuration, tokenizer)."""
    return _combine(_file_hashes(folder))


def _from_catalogue(name: str, kind: catalogue.Kind, progress: Listener | None) -> Backbone:
    entry = catalogue.find_entry(name)
    if entry.kind != kind:
        fitting = ", ".join(each.name for each in catalogue.of_kind(kind))
        hint = f"Take one of: {fitting}." if fitting else "The catalogue has none: name a folder or a hub model."
        raise UsageError(f"'{name}' is {_SPELT[entry.kind]}; this task works with {_SPELT[kind]}.", hint=hint)
    folder = get(name, progress)
    recorded = read_json(folder / ORIGIN)["files"]
    hashes = _checked_hashes(folder, recorded, f"Remove the folder and run `provetune models get {name}`.")
    config = _read_config(folder)
    return Backbone(
        name=name,
        path=folder,
        family=entry.family,
        languages=entry.languages,
        content_hash=_combine(hashes),
        max_positions=_max_positions(folder, config),
        source="catalogue",
        licence=f"{entry.licence}. {entry.licence_note}",
        width=_width(config),
    )


def _from_own(name: str, kind: catalogue.Kind) -> Backbone:
    model, files = (own.read_origin(name)[part] for part in ("model", "files"))
    if model["kind"] != kind:
        raise UsageError(
            f"'{name}' is {_SPELT[model['kind']]}; this task works with {_SPELT[kind]}.", hint="Name another backbone."
        )
    folder = own.own_folder(name)
    config = _read_config(folder)
    return Backbone(
        name=name,
        path=folder,
        family=model["family"],
        languages=tuple(model["languages"]),
        content_hash=_combine(_checked_hashes(folder, files, "Make the backbone again with `provetune pretrain`.")),
        max_positions=_max_positions(folder, config),
        source="own",
        licence=model["licence"],
        width=_width(config),
    )


def _checked_hashes(folder: Path, recorded: Mapping[str, str], hint: str) -> dict[str, str]:
    """Hashes of a folder's files, every one of them as it was recorded."""
    hashes = _file_hashes(folder)
    for file, found in hashes.items():
        if recorded.get(file) != found:
            raise CorruptError("This file is not what was unpacked here.", where=str(folder / file), hint=hint)
    return hashes


def _width(config: dict[str, Any]) -> int | None:
    """Hidden size, under the names that families give it."""
    found = next((config[name] for name in ("hidden_size", "dim", "d_model", "n_embd") if name in config), None)
    return None if found is None else int(found)


def layer_count(folder: Path) -> int:
    """Layers of the model in a folder, of its decoder where it has one besides its encoder; 0 where it does not say."""
    config = _read_config(folder)
    names = ("decoder_layers", "num_decoder_layers", "num_hidden_layers", "num_layers", "n_layers", "n_layer")
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def _read_config(folder: Path) -> dict[str, Any]:
    hint = "A model folder has config.json, model.safetensors and tokenizer files."
    try:
        config = read_json(folder / "config.json")
    except FileNotFoundError as error:
        raise UsageError("This folder has no config.json.", where=str(folder), hint=hint) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptError(f"This is not JSON ({error}).", where=str(folder / "config.json")) from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UsageError("config.json names no model_type.", where=str(folder), hint=hint)
    if not [*folder.glob("*.safetensors"), *folder.glob("pytorch_model.bin")]:
        raise UsageError("This folder has no weights.", where=str(folder), hint=hint)
    return config


def _max_positions(folder: Path, config: dict[str, Any]) -> int:
    found = config.get("max_position_embeddings")
    positions = int(found) if isinstance(found, int) and found > 0 else _DEFAULT_POSITIONS
    if config["model_type"] in _OFFSET_POSITIONS:
        positions -= int(config.get("pad_token_id") or 1) + 1
    try:
        limit = read_json(folder / "tokenizer_config.json").get("model_max_length")
    except FileNotFoundError:
        limit = None
    if isinstance(limit, int | float) and 0 < limit < _ENDLESS:
        positions = min(positions, int(limit))
    # Batches are padded to multiples, and the padding needs positions too.
    return positions // MULTIPLE * MULTIPLE if positions >= MULTIPLE else positions


def _file_hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.iterdir() if path.suffix in _HASHED and path.name not in _UNHASHED)
    return {path.name: sha256_file(path) for path in files if path.is_file()}


def _combine(hashes: dict[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(hashes.items())).encode()).hexdigest()


def _is_path(name: str) -> bool:
    seps = [separator for separator in (os.sep, os.altsep) if separator]
    return name.startswith((".", "~", *seps)) or Path(name).is_absolute() or name.count("/") > 1 or "\\" in name
