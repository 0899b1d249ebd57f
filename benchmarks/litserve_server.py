"""LitServe with a transformers pipeline: batches of 32 and 5 ms, one worker (`plain_servers.py` starts it)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import litserve
from plain_servers import ROWS, WAIT_S, open_pipeline


class Api(litserve.LitAPI):  # type: ignore[misc]
    """One classifier; texts of a batch go through the pipeline together."""

    def __init__(self, bundle: str, threads: int) -> None:
        super().__init__(max_batch_size=ROWS, batch_timeout=WAIT_S)
        self.bundle, self.threads = bundle, threads

    def setup(self, device: str) -> None:
        self.classify = open_pipeline(self.bundle, self.threads)

    def decode_request(self, request: dict[str, str]) -> str:
        return request["text"]

    def predict(self, texts: list[str]) -> Any:
        return self.classify(texts, truncation=True, batch_size=ROWS)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    bundle, port, threads = sys.argv[1:]
    server = litserve.LitServer(Api(bundle, int(threads)), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")
