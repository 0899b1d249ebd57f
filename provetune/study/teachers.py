"""Other bundles that a candidate learns from: refused where they do not fit, asked once, their answers kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.abilities import ScoresWords
from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.files import atomic_path
from provetune.core.minimised import AsksBundles, BundleAnswers

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, Targets, Task
    from provetune.inference.predictor import Predictor
    from provetune.models.bundle import Bundle

_ONE_LABEL, _SEVERAL, _NUMBERS = ("single_label", "ordinal"), "multi_label", "regression"
# `Targets.kind` of rows with one vector of outputs, which can be compared between bundles.
_LEAST = 1e-12
_SHOWN = 3


def refuse_unfit_bundles(
    plugins: Iterable[tuple[object, Any]], folder: Path, task: Task, targets: Targets, where: Callable[[str], str]
) -> None:
    """Refuse a candidate that names a bundle of another task, of other labels, or none.

    Args:
        plugins: objectives, each with its settings.
        folder: the problem file's.
        where: the place of a field in the problem file.

    Raises:
        UsageError, CorruptError: one does not fit.
    """
    for plugin, settings in plugins:
        if not isinstance(plugin, AsksBundles):
            continue
        for field, written in plugin.bundles(settings).items():
            try:
                refuse_unfit(bundle_at(folder, written), written, task, targets)
            except ProvetuneError as error:
                raise type(error)(error.message, where=where(field), hint=error.hint) from error


def bundle_at(folder: Path, written: str) -> Bundle:
    """The bundle of this path, relative to the problem file's folder; only its small files are read."""
    from provetune.models.bundle import open_bundle

    return open_bundle(folder / Path(written).expanduser(), verify=False)


def refuse_unfit(bundle: Bundle, written: str, task: Task, targets: Targets) -> None:
    """Refuse a bundle whose answers are no labels of these rows.

    Raises:
        UsageError: it is of another task or form, or does not know every label.
    """
    if bundle.task != task.name or bundle.targets.kind != targets.kind:
        raise UsageError(
            f"The bundle '{written}' answers '{bundle.task}' ({bundle.targets.kind}); "
            f"the rows are '{task.name}' ({targets.kind}).",
            hint="Name a bundle that was trained for the same task.",
        )
    lacking = [name for name in targets.names if name not in bundle.targets.names]
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise UsageError(
            f"The bundle '{written}' does not know {', '.join(map(repr, lacking[:_SHOWN]))}{more}.",
            hint="Its labels must be the training rows'; objective: lwf keeps what a bundle of fewer labels knows.",
        )


@dataclass(frozen=True)
class Asker:
    """Asks bundles about rows; what they said once is kept in the cache.

    Attributes:
        folder: the problem file's.
        cache: the workspace's.
        device: where bundles compute.
    """

    folder: Path
    cache: Path
    device: str = "cpu"

    def ask(self, written: str, examples: pa.Table) -> BundleAnswers:
        """What the bundle of this path says about N rows.

        Raises:
            UsageError: its answers are no vector a row.
        """
        bundle = bundle_at(self.folder, written)
        path = self.cache / f"told-{_key(bundle, examples)}.npz"
        if not path.exists():
            told = self._ask(bundle, written, examples)
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **told)
        with np.load(path, allow_pickle=False) as kept:
            words = kept["words"] if "words" in kept.files else None
            return BundleAnswers(bundle.targets.names, kept["values"], words)

    def _ask(self, bundle: Bundle, written: str, examples: pa.Table) -> dict[str, Array]:
        from provetune.inference.predictor import load

        predictor = load(bundle.path, device=self.device)
        if isinstance(predictor.task, ScoresWords):
            words, scores = predictor.task.word_scores(*predictor.outputs(examples), examples)
            return {"values": _log_softmax(scores), "words": np.stack([words.text, words.starts, words.ends], axis=1)}
        if bundle.targets.kind not in (*_ONE_LABEL, _SEVERAL, _NUMBERS):
            raise UsageError(f"The bundle '{written}' gives no vector of numbers a row that could be learned from.")
        return {"values": self._row_values(predictor, bundle, examples)}

    def _row_values(self, predictor: Predictor, bundle: Bundle, examples: pa.Table) -> Array:
        values = np.asarray(predictor.answers(examples), dtype=np.float64)
        if bundle.targets.kind == _NUMBERS:
            return values
        if bundle.targets.kind in _ONE_LABEL:
            return np.asarray(np.log(np.maximum(values, _LEAST)))
        values = np.clip(values, _LEAST, 1 - _LEAST)
        return np.asarray(np.log(values) - np.log1p(-values))


def _log_softmax(scores: Array) -> Array:
    values = np.asarray(scores, dtype=np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def _key(bundle: Bundle, examples: pa.Table) -> str:
    from provetune.models.bundle.manifest import MANIFEST

    digest = hashlib.sha256((bundle.path / MANIFEST).read_bytes())
    for name in (each for each in examples.column_names if _is_asked(each)):
        for cell in examples.column(name).to_pylist():
            digest.update(f"{name}\x1f{cell}\x1e".encode())
    return digest.hexdigest()[:32]


def _is_asked(column: str) -> bool:
    """Whether an answer may depend on a column: not on ids, labels, places and the file's own cells."""
    return column not in ("row_id", "label", "stratum") and not column.startswith(("_", "raw."))
