"""The servers that ours is compared with, each as its documentation shows it: a name, a bundle, a port, threads.

    python benchmarks/plain_servers.py plain BUNDLE 8123 2

plain      FastAPI and a transformers pipeline, one text a request, as tutorials have it
litserve   LitServe with batches of 32 and 5 ms, one worker
mosec      mosec with batches of 32 and 5 ms, one worker

The last two are installed by hand (`pip install litserve mosec`); nothing of Provetune needs them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
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


if __name__ == "__main__":
    name, bundle, port, threads = sys.argv[1:]
    if name == "plain":
        run_plain(bundle, int(port), int(threads))
    else:
        # These two hand their classes over to processes of their own, which must find them in a module.
        script = str(Path(__file__).with_name(f"{name}_server.py"))
        os.execv(sys.executable, [sys.executable, script, bundle, port, threads])
