"""A server of real processes whose workers are `odd_worker`: NAME=FOLDER …, settings as JSON, a workspace."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from provetune.serving.describing import Description
from provetune.serving.settings import Settings

WORKER = (sys.executable, str(Path(__file__).parent / "odd_worker.py"))


def make_worker(description: Description, settings: Settings, on_frame: Any, on_death: Any) -> Any:
    from provetune.serving.worker_process import WorkerProcess

    return WorkerProcess({"path": str(description.path), "example": "warm"}, on_frame, on_death, WORKER)


def main(words: list[str]) -> None:
    from provetune.serving.app import create_app
    from provetune.serving.server import bind, run
    from provetune.serving.service import Service

    settings, workspace, *named = words
    bundles = {name: Path(path) for name, path in (each.split("=", 1) for each in named)}
    service = Service(bundles, Settings(**json.loads(settings)), workspace=Path(workspace), make=make_worker)
    if os.environ.get("ODD_STREAMS"):
        for lane in service.lanes.values():
            lane.description = replace(lane.description, streams=True, task="chat")
    listener = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    run(service, create_app(service), listener, on_ready=partial(print, json.dumps({"url": address}), flush=True))


if __name__ == "__main__":
    main(sys.argv[1:])
