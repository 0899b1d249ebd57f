"""A device is a name that exists, and then one that this machine has."""

from __future__ import annotations

import pytest

from provetune.core.errors import EnvironmentFault, UsageError
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
