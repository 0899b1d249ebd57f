"""mosec with a transformers pipeline: batches of 32 and 5 ms, one worker (`plain_servers.py` starts it)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mosec
from plain_servers import ROWS, WAIT_S, open_pipeline

BUNDLE, THREADS = "BENCHMARK_BUNDLE", "BENCHMARK_THREADS"


class Classifier(mosec.Worker):  # type: ignore[misc]
    """One classifier, made in mosec's own process, which is told by the environment alone."""

    def __init__(self) -> None:
        super().__init__()
        self.classify = open_pipeline(os.environ[BUNDLE], int(os.environ[THREADS]))

    def forward(self, data: list[dict[str, str]]) -> Any:
        return self.classify([each["text"] for each in data], truncation=True, batch_size=ROWS)


if __name__ == "__main__":
    bundle, port, threads = sys.argv[1:]
    os.environ[BUNDLE], os.environ[THREADS] = bundle, threads
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", port, "--log-level", "error"]
    server = mosec.Server()
    server.append_worker(Classifier, num=1, max_batch_size=ROWS, max_wait_time=int(WAIT_S * 1000))
    server.run()
