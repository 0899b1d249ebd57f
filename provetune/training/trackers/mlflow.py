"""MLflow. Without ``MLFLOW_TRACKING_URI`` runs go into a folder beside the study's other files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.events import Event
from provetune.training.trackers._scalars import import_extra, scalars


class _Run:
    def __init__(self, client: Any, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    def consume(self, event: Event) -> None:
        step, values = scalars(event)
        for name, value in values.items():
            self.client.log_metric(self.run_id, name, value, step=step)

    def close(self) -> None:
        self.client.set_terminated(self.run_id)


class MLflow:
    """One MLflow run a trial, in an experiment named after the study."""

    name = "mlflow"

    def open(self, run: str, folder: Path, details: Mapping[str, Any]) -> _Run:
        tracking = import_extra("mlflow.tracking", "mlflow")
        address = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.sqlite'}")
        folder.mkdir(parents=True, exist_ok=True)
        client = tracking.MlflowClient(tracking_uri=address)
        study, _, rest = run.partition("/")
        experiment = client.get_experiment_by_name(study)
        number = client.create_experiment(study) if experiment is None else experiment.experiment_id
        started = client.create_run(number, run_name=rest)
        for name, value in details.items():
            client.log_param(started.info.run_id, name, value)
        return _Run(client, started.info.run_id)


TRACKER = MLflow()
