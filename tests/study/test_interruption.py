"""Ctrl-C and SIGTERM become one error with a way to go on; handlers are as they were afterwards."""

from __future__ import annotations

import os
import signal
import time

import pytest

from provetune.core.errors import Interrupted
from provetune.study.interruption import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_become_interrupted(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="Run it again") as caught, interruptible("Run it again."):
        _signal_myself(number)
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="other"), interruptible("x"):
        raise ValueError("other")


def _signal_myself(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)
