"""The servers that ours is compared with, each as its documentation shows it: a name, a bundle, a port, threads.

    python benchmarks/plain_servers.py plain BUNDLE 8123 2

plain      FastAPI and a transformers pipeline, one text a request, as tutorials have it
litserve   LitServe with batches of 32 and 5 ms, one worker
mosec      mosec with batches of 32 and 5 ms, one worker

The last two are installed by hand (`pip install litserve mosec`); nothing of Provetune needs them.
"""

from __future__ import annotations

import sys
from typing import Any

ROWS, WAIT_S = 32, 0.005


def open_pipeline(bundle: str, threads: int) -> Any:
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    return pipeline("text-classification", model=bundle, device="cpu")


def run_plain(bundle: str, port: int, threads: int) -> None:
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        text: str

    class Told(BaseModel):
        label: str
        score: float

    app, classify = FastAPI(), open_pipeline(bundle, threads)

    def predict(asked: Asked) -> Told:
        return Told(**classify(asked.text, truncation=True)[0])

    # Annotations are strings here, and these classes are known inside this function alone.
    predict.__annotations__ = {"asked": Asked, "return": Told}
    app.post("/predict")(predict)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def run_litserve(bundle: str, port: int, threads: int) -> None:
    import litserve

    class Api(litserve.LitAPI):  # type: ignore[misc]
        def setup(self, device: str) -> None:
            self.classify = open_pipeline(bundle, threads)

        def decode_request(self, request: dict[str, str]) -> str:
            return request["text"]

        def predict(self, texts: list[str]) -> list[dict[str, Any]]:
            return self.classify(texts, truncation=True, batch_size=ROWS)

        def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
            return output

    server = litserve.LitServer(Api(max_batch_size=ROWS, batch_timeout=WAIT_S), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False, log_level="warning")


def run_mosec(bundle: str, port: int, threads: int) -> None:
    import mosec

    class Classifier(mosec.Worker):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.classify = open_pipeline(bundle, threads)

        def forward(self, data: list[dict[str, str]]) -> list[dict[str, Any]]:
            return self.classify([each["text"] for each in data], truncation=True, batch_size=ROWS)

    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    server = mosec.Server()
    server.append_worker(Classifier, num=1, max_batch_size=ROWS, max_wait_time=int(WAIT_S * 1000))
    server.run()


if __name__ == "__main__":
    name, bundle, port, threads = sys.argv[1:]
    {"plain": run_plain, "litserve": run_litserve, "mosec": run_mosec}[name](bundle, int(port), int(threads))
