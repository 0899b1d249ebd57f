"""What the server knows about a bundle without loading its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.inference.inputs import TextColumns


@dataclass(frozen=True)
class Description:
    """A bundle as its record describes it.

    Attributes:
        name: what requests call it.
        path: its folder.
        kind: its ``bundle_kind``.
        columns: names of the texts of an item.
        labels: what it tells apart, where it does.
        answer_keys: keys of every answer.
        example: an item, as `/v1/predict` takes it.
        streams: whether its answer can be told while it is written.
        batches: whether an answer is the same whoever else is asking; where it is not, items are computed one by one.
        most_tokens: tokens of an item that are computed; None where all are.
        paired: whether an item is two texts.
        writes: whether it writes its answers token by token, which takes long.
        forced: steps that were forced on the way to it although acceptance does not hold.
    """

    name: str
    path: Path
    kind: str
    task: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    answer_keys: tuple[str, ...]
    example: Any
    streams: bool
    batches: bool
    most_tokens: int | None
    paired: bool
    writes: bool
    forced: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": "model",
            "owned_by": "provetune",
            "task": self.task,
            "kind": self.kind,
            "columns": list(self.columns),
            "labels": list(self.labels),
            "answer_keys": list(self.answer_keys),
            "example": self.example,
            "streams": self.streams,
            "forced": list(self.forced),
        }


def describe(path: Path, name: str) -> Description:
    """Read a bundle's record. Nothing is verified here: the worker does that before it is ready.

    Raises:
        UsageError: there is no bundle, or a newer one.
        CorruptError: its record cannot be read.
    """
    from provetune.core.protocols import ReadsItems, Streams, WritesTexts
    from provetune.inference.predictor import DOCUMENT_KEYS, text_columns
    from provetune.models.bundle import open_bundle
    from provetune.tasks import TASKS

    bundle = open_bundle(path, verify=False)
    task = TASKS.get(bundle.task)
    columns = text_columns(bundle.record)
    paired = columns.paired and not isinstance(task, ReadsItems)
    encode = bundle.record.get("encode") or {}
    searching = bundle.kind == "examples" and hasattr(task, "found")
    return Description(
        name=name,
        path=Path(path).resolve(),
        kind=bundle.kind,
        task=bundle.task,
        columns=columns.names,
        labels=bundle.targets.names,
        answer_keys=DOCUMENT_KEYS if searching else task.answer_keys,
        example=_example(task, bundle.record, columns),
        streams=isinstance(task, Streams) and bundle.kind != "examples",
        batches=bundle.record.get("batches") is not False,
        most_tokens=encode.get("max_length") if encode.get("long_texts", "head") != "windows" else None,
        paired=paired,
        writes=isinstance(task, WritesTexts),
        forced=tuple(str(each["step"]) for each in bundle.record.get("forced") or ()),
    )


def name_bundles(given: Sequence[tuple[str | None, Path]]) -> dict[str, Path]:
    """A name for each bundle: the one it was given, else its folder's, with those of the folders above as far as two
    are called the same. A folder called ``bundle``, as studies have them, is called as the one above it.

    Raises:
        UsageError: a bundle or a name is given twice.
    """
    found: dict[str, Path] = {}
    places = [(name, path.expanduser().resolve()) for name, path in given]
    plain = [path.parent if path.name == "bundle" else path for name, path in places]
    for (name, path), shown in zip(places, plain, strict=True):
        if [each for _, each in places].count(path) > 1:
            raise UsageError("The bundle is given twice.", where=str(path))
        depth = 1
        while sum(other.parts[-depth:] == shown.parts[-depth:] for other in plain) > 1:
            depth += 1
        called = name or "-".join(part for part in shown.parts[-depth:] if part != path.anchor)
        if called in found:
            raise UsageError(f"Two bundles are called '{called}'.", hint="Name one otherwise: NAME=BUNDLE.")
        found[called] = path
    return found


def _example(task: Task, record: Mapping[str, Any], columns: TextColumns) -> Any:
    """The task's first example row as an item of this bundle: what is asked, under the names of its columns."""
    row = dict(task.examples[0])
    # Of a row, what is no label stands in the order of the columns that are asked.
    asked = [value for key, value in row.items() if key not in ("label", "answers", "document", "target", "score")]
    if task.name == "chat":
        return [message for message in row["messages"] if message["role"] == "user"][:1]
    values = [value if isinstance(value, str) else json.dumps(value) for value in asked]
    if len(columns.names) == 1:
        return values[0]
    return dict(zip(columns.names, [*values, *[values[-1]] * len(columns.names)], strict=False))
