"""A device is a name that exists, and then one that this machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.errors import EnvironmentFault, UsageError
from provetune.models import devices
from provetune.models.devices import check_device, settle_device


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1", "mps", "auto"])
def test_names_of_devices(name: str) -> None:
    check_device(name)


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:one", "cpu:0", "", "CUDA"])
def test_what_is_no_device_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"Got '{name}' instead"):
        settle_device(name)


def test_auto_is_no_device_of_a_predictor() -> None:
    with pytest.raises(UsageError, match="device must be cpu, cuda"):
        check_device("auto", auto=False)


def test_the_processor_is_always_there() -> None:
    assert settle_device("cpu") == "cpu"
    assert settle_device("auto") in ("cpu", "cuda", "mps")


def test_a_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert settle_device("cuda:0") == "cuda:0"
    with pytest.raises(EnvironmentFault, match="no device 'cuda:1'"):
        settle_device("cuda:1")


def test_without_a_gpu_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(asked.append(True)))
    monkeypatch.setattr(devices, "_GPU_FILES", (str(tmp_path / "nvidiactl"),))
    assert settle_device("auto") == "cpu"
    assert not asked
    (tmp_path / "nvidiactl").touch()
    settle_device("auto")
    assert asked
