"""Writing a bundle: everything into a folder beside, then one rename."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import atomic_path, write_bytes
from provetune.core.protocols import ExampleModel, FittedModel, Targets
from provetune.models.bundle.card import ADAPTED, CARD, model_card
from provetune.models.bundle.golden import Golden, write_golden
from provetune.models.bundle.manifest import write_manifest
from provetune.models.bundle.record import FORMAT_VERSION, RECORD, package_versions, record_text

if TYPE_CHECKING:
    import torch

    from provetune.core.little_data import LabelReader

ADAPTER = "adapter"
ENCODER = "encoder"
BESIDE = ("frozen_encoder", "entailment", "verbaliser")
"""Kinds whose model lies in a folder of its own, beside what reads its answers."""


@dataclass(frozen=True)
class BundleContents:
    """What a bundle is made of.

    Attributes:
        kind: ``"transformers"``, ``"adapted"``, ``"frozen_encoder"``, ``"entailment"``, ``"verbaliser"``,
            ``"tfidf"``, ``"examples"`` or ``"ensemble"``.
        task: the task's name.
        targets: what it predicts.
        record: further fields of ``provetune.json``: columns, encode, problem, candidate, seed, data, code_hash,
            metrics, temperature, precision, backbone. Versions of packages are added.
        golden: inputs with their expected answers.
        model: the merged transformers model; of what cannot be merged, the plain one; for a frozen encoder, the encoder
            without head; None for tfidf.
        tokenizer: its tokenizer; None for tfidf.
        fitted: the fitted model of tfidf or of the head on a frozen encoder; None for transformers.
        adapter: writes an adapter into the folder it is given, or None.
        furnish: writes files of another library's into the bundle's folder, or None.
    """

    kind: str
    task: str
    targets: Targets
    golden: Golden
    record: Mapping[str, Any] = field(default_factory=dict)
    model: torch.nn.Module | None = None
    tokenizer: Any = None
    fitted: FittedModel | ExampleModel | LabelReader | None = None
    adapter: Callable[[Path], None] | None = None
    furnish: Callable[[Path], None] | None = None


def write_bundle(folder: Path, contents: BundleContents) -> Path:
    """Write a bundle, whole or not at all; one that is there already is replaced.

    Returns:
        The folder.

    Raises:
        ValueError: parts that this kind of bundle needs are missing.
        EnvironmentFault: no space, or the place cannot be written.
    """
    _check(contents)
    record = {
        "format_version": FORMAT_VERSION,
        "bundle_kind": contents.kind,
        "task": contents.task,
        "targets": contents.targets.to_json(),
        "packages": package_versions(),
        **contents.record,
    }
    with atomic_path(Path(folder)) as temporary:
        temporary.mkdir()
        if contents.model is not None:
            place = temporary / ENCODER if contents.kind in BESIDE else temporary
            _save_model(place, contents.model, contents.tokenizer, record)
        if contents.fitted is not None:
            contents.fitted.save(temporary)
        if contents.adapter is not None:
            (temporary / ADAPTER).mkdir()
            contents.adapter(temporary / ADAPTER)
            if not any((temporary / ADAPTER).iterdir()):
                (temporary / ADAPTER).rmdir()
        if contents.furnish is not None:
            contents.furnish(temporary)
        write_golden(temporary, contents.golden)
        write_bytes(temporary / RECORD, record_text(record).encode())
        write_bytes(temporary / CARD, model_card(record).encode())
        write_manifest(temporary)
    return Path(folder)


def _check(contents: BundleContents) -> None:
    needed = {
        "transformers": ("model", "tokenizer"),
        ADAPTED: ("model", "tokenizer", "adapter"),
        **dict.fromkeys(BESIDE, ("model", "tokenizer", "fitted")),
    }
    # Of a kind that is neither, either a fitted model or files of another library's are all there is.
    others = ("fitted",) if contents.furnish is None else ("furnish",)
    lacking = [name for name in needed.get(contents.kind, others) if getattr(contents, name) is None]
    if lacking:
        raise ValueError(f"A bundle of kind '{contents.kind}' needs {lacking[0]}. Got None instead.")
    if len(contents.targets.names) == 0 and contents.targets.kind.endswith("_label"):
        raise ValueError("A bundle needs the names of what it predicts. Got none.")


def _save_model(place: Path, model: Any, tokenizer: Any, record: Mapping[str, Any]) -> None:
    from provetune.models.loading import quiet_transformers

    # Where the backbone lay on this machine says nothing to anyone else.
    model.config._name_or_path = ""
    length = (record.get("encode") or {}).get("max_length")
    if length:
        tokenizer.model_max_length = int(length)
    # Whether the model was trained to tell a pair's texts apart is the tokenizer's class to say; whoever reads the
    # folder without transformers has no class to ask.
    tokenizer.init_kwargs["model_input_names"] = list(tokenizer.model_input_names)
    with quiet_transformers():
        model.save_pretrained(str(place), safe_serialization=True)
        tokenizer.save_pretrained(str(place))
