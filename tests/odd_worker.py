"""A worker whose model does as its texts say: it sleeps, raises, miscounts, prints or dies. It starts in no time."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError
from provetune.inference.inputs import Prepared, TextColumns


def expected(text: str) -> dict[str, Any]:
    """What it says about a text, whoever else asks."""
    number = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    return {"label": f"l{number % 1000}", "score": number / (1 << 32)}


class OddPredictor:
    """As much of a predictor as a worker uses."""

    engine, precision = "odd", "fp32"
    columns = TextColumns()

    def __init__(self, path: str) -> None:
        from provetune.models.bundle import open_bundle

        self.record = open_bundle(path, verify=False).record
        self.pause_s = float(os.environ.get("ODD_PAUSE_S", "0"))
        self.leak: list[bytes] | None = [] if os.environ.get("ODD_LEAK") else None

    def answer(self, prepared: Prepared, *, top_k: int | None = None, proba: bool = False) -> list[dict[str, Any]]:
        texts = prepared.examples.column("text").to_pylist()
        if self.leak is not None:
            self.leak.append(os.urandom(100_000 * len(texts)))
        # Some libraries print; standard output belongs to the frames.
        sys.stdout.write(f"a model that prints: {len(texts)}\n")
        time.sleep(self.pause_s)
        answers = [self._one(text) for text in texts]
        return [answer for answer in answers if answer is not None]

    def _one(self, text: str) -> dict[str, Any] | None:
        match text.split():
            case ["#miscount", *_]:
                return None
            case ["#raise", *_]:
                raise RuntimeError("this text is too much")
            case ["#die", *_]:
                os.kill(os.getpid(), 9)
            case ["#sleep", seconds, *_]:
                time.sleep(float(seconds))
        return expected(text)

    def stream(self, item: Any) -> Iterator[str]:
        for word in str(item).split():
            time.sleep(self.pause_s)
            yield f"{word} "


def load(settings: dict[str, Any]) -> Any:
    if (spoiled := os.environ.get("ODD_BROKEN_IF")) and Path(spoiled).exists():
        raise CorruptError("A file is not what was written.", where="model.safetensors")
    return OddPredictor(settings["path"])


if __name__ == "__main__":
    from provetune.serving.worker import main

    sys.exit(main(load))
