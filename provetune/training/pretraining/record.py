"""What is kept beside a backbone that was pretrained: how it was made, hashes of its files, a small model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provetune.core.files import sha256_file, write_json, write_text
from provetune.models.download import ORIGIN

_SAID = {
    "mlm": "masked words guessed from what stands around them",
    "clm": "the next token said",
    "simcse": "two passes of a text alike, other texts apart",
}


def write_record(folder: Path, model: Mapping[str, Any], pretraining: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card and the record into a folder whose other files are there; returns the record."""
    write_text(folder / "README.md", "\n".join(_card(model, pretraining)) + "\n")
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
    document = {"model": dict(model), "pretraining": dict(pretraining), "files": files}
    write_json(folder / ORIGIN, document)
    return document


def say_figures(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    """A line a figure, before and after."""
    return [f"{name}: {before[name]:.4f} before, {after[name]:.4f} after" for name in after]


def notes_of(new_head: bool, words: str | None, head: Mapping[str, Any] | None = None) -> list[str]:
    """What a reader of the figures must know.

    Args:
        words: what told words apart.
        head: steps and figures of a new head that learned alone.
    """
    notes = []
    if new_head:
        notes.append(
            "The backbone had no language-model head: a new one was trained, its output layer tied to the token "
            "embeddings. The figure before is that of an untrained head, and says nothing about the backbone."
        )
    if head is not None:
        notes.append(
            f"The new head learned alone for {head['steps']:,} steps before the others, the encoder frozen: a loss of "
            f"{head['loss']:.4f} is what it makes of the backbone as it was."
        )
    if words is not None:
        notes.append(f"Whole words were masked, as {words} tells them.")
    return notes


def _card(model: Mapping[str, Any], made: Mapping[str, Any]) -> Sequence[str]:
    source, texts = made["from"], made["texts"]
    return [
        f"# {model['name']}",
        "",
        f"`{source['name']}` ({model['family']}), which learned on from {texts['learned']:,} raw texts: "
        f"{_SAID.get(made['objective'], made['objective'])} (`{made['objective']}`), {made['steps']:,} steps.",
        "",
        f"On {texts['held_out']:,} texts held out:",
        "",
        *(f"- {line}" for line in say_figures(made["before"], made["after"])),
        "",
        *(f"{note}\n" for note in made["notes"]),
        f"Licence of the source: {model['licence'] or 'not known'}",
        "",
        f"Hash of the source's files: {source['content_hash']}",
        f"Hash of the texts: {texts['hash']}",
    ]
