"""Modules that are loaded when something of them is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from provetune.core.lazy import import_later


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = (
        "import sys; from provetune.core.lazy import import_later; "
        "colours = import_later('colorsys'); before = 'colorsys' in sys.modules; "
        "print(before, colours.rgb_to_hsv(1, 0, 0), 'colorsys' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False (0.0, 1.0, 1) True"


def test_what_is_had_is_the_module_s_own() -> None:
    import torch

    later = import_later("torch")
    assert later.Tensor is torch.Tensor
    assert isinstance(torch.zeros(1), later.Tensor)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = later.nothing
    with pytest.raises(ModuleNotFoundError):
        _ = import_later("no_such_module").anything
