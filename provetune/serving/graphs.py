"""ONNX graphs that a server makes of encoders, since ONNX Runtime answers most of them in half the time.

What a bundle's weights compute is the same in either (fp32, held against torch and against the golden answers). Which
of the two is quicker depends on machine and model, so it is tried once, in a process of its own
(`provetune.serving.graph_making`), and kept in the workspace under the hash of the bundle's manifest.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import EnvironmentFault, ProvetuneError, Refused
from provetune.core.files import read_json, sha256_file
from provetune.core.locks import exclusive

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle

_LOG = logging.getLogger("provetune.serving")
CHOICE, GRAPH = "choice.json", "bundle"
_KEPT = 8
_LONGEST_S = 240.0


@dataclass(frozen=True)
class Choice:
    """What computes a bundle here.

    Attributes:
        path: the folder that is loaded: the bundle's own, or that of its graph.
        words: why, for whoever reads the engine's name; empty where nothing was to be chosen.
    """

    path: Path
    words: str = ""


def why_no_graph(bundle: Bundle, task: Task, *, precision: str, device: str) -> str | None:
    """Why a bundle is computed by torch alone, in one line; None where a graph can be made of it."""
    from provetune.compression.exporting import refusal

    if device != "cpu" or precision != "fp32":
        return "ONNX Runtime computes in fp32 on the CPU here; leave --precision and --device out."
    if (why := refusal(task, bundle.kind)) is not None:
        return why
    if bundle.record.get("batches") is False:
        return "This bundle answers one row at a time."
    return None if bundle.golden.inputs else "The bundle has no golden examples that a graph could be held against."


def choose(bundle: Bundle, task: Task, settings: Mapping[str, Any]) -> Choice:
    """What computes a bundle: as ``backend`` asks, and where that is ``auto``, what is quicker here.

    Args:
        bundle: verified.
        settings: ``backend``, ``precision``, ``device``, ``threads`` and ``graphs``, the folder where graphs are kept.

    Raises:
        Refused: ONNX Runtime is asked for, and no graph can be made.
        EnvironmentFault: it is asked for, and the graph cannot be kept.
    """
    backend, graphs = str(settings.get("backend") or "auto"), settings.get("graphs")
    own = Choice(Path(bundle.path))
    if bundle.kind == "onnx" or backend == "torch" or not graphs:
        return own
    why = why_no_graph(
        bundle, task, precision=str(settings.get("precision", "fp32")), device=str(settings.get("device", "cpu"))
    )
    if why is not None:
        if backend == "onnx":
            raise Refused(why, where=str(bundle.path))
        return own
    try:
        place = _made(bundle, Path(graphs), settings.get("threads"))
        found = read_json(place / CHOICE)
    except (ProvetuneError, OSError, ValueError) as error:
        if backend == "onnx":
            raise EnvironmentFault(f"No graph could be made ({error}).", where=str(bundle.path)) from error
        _LOG.warning("No graph could be made, torch answers: %s", error)
        return own
    if found["refused"] is not None:
        if backend == "onnx":
            raise Refused(str(found["refused"]), where=str(bundle.path))
        return own
    faster = float(found["times_as_fast"])
    if faster > 1.0 or backend == "onnx":
        return Choice(place / GRAPH, f"a graph of this bundle, {faster:.1f} times as fast as torch here")
    return Choice(own.path, f"ONNX Runtime was tried: {faster:.1f} times as fast here")


def _made(bundle: Bundle, graphs: Path, threads: Any) -> Path:
    """The folder of a bundle's choice and graph, made where it is not there."""
    place = graphs / _key(bundle)
    if (place / CHOICE).is_file():
        with suppress(OSError):
            os.utime(place)
        return place
    with exclusive(graphs / f"{place.name}.lock", what=f"making a graph of {bundle.path.name}", wait_s=_LONGEST_S):
        if not (place / CHOICE).is_file():
            shutil.rmtree(place, ignore_errors=True)
            _make(bundle.path, place, threads)
            _forget_oldest(graphs)
    return place


def _make(source: Path, place: Path, threads: Any) -> None:
    command = [sys.executable, "-m", "provetune.serving.graph_making", str(source), str(place), str(threads or 0)]
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFault(f"it took more than {_LONGEST_S:g} s") from error
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EnvironmentFault(said[0] if said else f"its process ended with {ended.returncode}")


def _key(bundle: Bundle) -> str:
    import onnxruntime

    from provetune.models.bundle.manifest import MANIFEST
    from provetune.version import __version__

    content = sha256_file(Path(bundle.path) / MANIFEST)
    return sha256(f"{content} {__version__} {onnxruntime.__version__}".encode()).hexdigest()[:24]


def _forget_oldest(graphs: Path) -> None:
    """Leave the graphs that were used last. One that is loaded needs its file no longer."""
    found = sorted((each for each in graphs.iterdir() if each.is_dir()), key=lambda each: -each.stat().st_mtime)
    for each in found[_KEPT:]:
        shutil.rmtree(each, ignore_errors=True)
        (graphs / f"{each.name}.lock").unlink(missing_ok=True)
