"""The process that answers for one bundle: frames in on its standard input, frames out on what was its standard output.

    python -m provetune.serving.worker

The first frame says which bundle. Whatever a library prints goes to stderr, for stdout belongs to frames alone. One
thread does everything, so a worker that answers a ping is one that can answer items. It ends when its input does.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import ProvetuneError
from provetune.serving.error_places import kind_and_places
from provetune.serving.frames import decode, encode, read_frame

if TYPE_CHECKING:
    from provetune.inference.predictor import Predictor

_LOG = logging.getLogger("provetune.serving")
_PIECES_EVERY_S = 0.02


class Worker:
    """Answers frames.

    Args:
        source, target: file descriptors.
        predictor: the loaded bundle.
    """

    def __init__(self, source: int, target: int, predictor: Predictor) -> None:
        self._source, self._target = source, target
        self._predictor = predictor
        self._batches = predictor.record.get("batches") is not False

    def run(self) -> None:
        """Answer until the input ends or says stop."""
        while (body := read_frame(lambda count: os.read(self._source, count))) is not None:
            head, rows = decode(body)
            match head.get("op"):
                case "predict":
                    self._predict(head, rows)
                case "stream":
                    self._stream(head, rows)
                case "ping":
                    self.send({"op": "pong", "id": head.get("id")})
                case "stop":
                    return

    def send(self, head: dict[str, Any], rows: list[bytes] | None = None) -> None:
        write_all(self._target, encode(head, rows or ()))

    def _predict(self, head: dict[str, Any], rows: list[bytes]) -> None:
        from provetune.serving.answers import Options, answer_items

        started = time.perf_counter()
        options = Options(head.get("top_k"), bool(head.get("proba")))
        answers, faults = answer_items(
            self._predictor, [json.loads(row) for row in rows], options, batches=self._batches
        )
        told: dict[str, Any] = {"op": "answers", "id": head["id"], "seconds": time.perf_counter() - started}
        if faults:
            told["faults"] = {str(number): fault for number, fault in faults.items()}
        self.send(told, answers)

    def _stream(self, head: dict[str, Any], rows: list[bytes]) -> None:
        """Pieces as they are written; the writing stops when nobody reads any more."""
        number = head["id"]
        end: dict[str, Any] = {"op": "end", "id": number}
        try:
            pieces = self._predictor.stream(json.loads(rows[0]))
            for piece in pieces:
                if self._cancelled(number):
                    break
                self.send({"op": "piece", "id": number, "text": piece})
        except ProvetuneError as error:
            end["fault"] = [422, str(error)]
        except Exception as error:  # noqa: BLE001 - whatever a model raises must not end the worker
            _LOG.error("A stream could not be written: %s", kind_and_places(error))
            end["fault"] = [500, "The model failed on this item; the server's log says why."]
        self.send(end)

    def _cancelled(self, number: int) -> bool:
        """Whether the server has said meanwhile that nobody reads; pings are answered on the way."""
        while select.select([self._source], [], [], 0)[0]:
            body = read_frame(lambda count: os.read(self._source, count))
            if body is None:
                return True
            head, _ = decode(body)
            if head.get("op") == "ping":
                self.send({"op": "pong", "id": head.get("id")})
            elif head.get("op") == "cancel" and head.get("id") == number:
                return True
        return False


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, however little the system takes at once."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def load_bundle(settings: dict[str, Any]) -> Predictor:
    """The bundle that the first frame names, its files compared with the manifest, its golden examples asked again.

    It is computed as `provetune.serving.graphs.choose` finds best.
    """
    from provetune.inference.agreement import require_golden
    from provetune.inference.predictor import load
    from provetune.models.bundle import open_bundle
    from provetune.serving.graphs import choose
    from provetune.tasks import TASKS

    bundle = open_bundle(settings["path"])
    chosen = choose(bundle, TASKS.get(bundle.task), settings)
    device = settings.get("device", "cpu")
    found = load(
        chosen.path,
        precision=settings.get("precision", "fp32"),
        device=device,
        verify=chosen.path != Path(bundle.path),
        threads=settings.get("threads"),
    )
    if bundle.golden.inputs:
        require_golden(found, bundle.golden, device)
    settings["engine"] = f"{found.engine} ({chosen.words})" if chosen.words else found.engine
    return found


def _warm_up(predictor: Predictor, example: Any) -> None:
    """Answer an example once, so that the first caller does not pay for what libraries do at their first call."""
    from provetune.serving.answers import Options, answer_items

    if example is not None:
        answer_items(predictor, [example], Options())


def main(load: Callable[[dict[str, Any]], Predictor] = load_bundle) -> int:
    """Run a worker on this process's standard input and output."""
    # Ctrl-C and a service manager tell the whole group; the server decides when its workers end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    source, target = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    body = read_frame(lambda count: os.read(source, count))
    if body is None:
        return 0
    settings, _ = decode(body)
    try:
        predictor = load(settings)
    except ProvetuneError as error:
        said = {"message": error.message, "where": error.where, "hint": error.hint}
        write_all(target, encode({"op": "failed", "kind": type(error).__name__, **said}))
        return 1
    _warm_up(predictor, settings.get("example"))
    worker = Worker(source, target, predictor)
    engine = settings.get("engine") or predictor.engine
    worker.send({"op": "ready", "engine": engine, "precision": predictor.precision, "pid": os.getpid()})
    try:
        worker.run()
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
