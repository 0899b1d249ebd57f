"""How many threads answer, and how they wait."""

from __future__ import annotations

import os
import sys

_NUMBER = "OMP_NUM_THREADS"


def settle_threads(count: int | None = None) -> None:
    """Let idle threads sleep, and limit their number.

    Threads of OpenMP spin while they wait for each other. Beside one busy process on two cores that takes
    training and answering to an eighth of their speed; sleeping costs 2 to 5 % where nothing else runs. It is
    read once, when torch is loaded, so this does nothing about it afterwards; what the user has set is kept.

    Args:
        count: threads for one operation; torch's own choice when left out. Torch is not loaded for it: it finds the
            number in the environment when it is.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if count is not None:
        os.environ[_NUMBER] = str(count)
        if "torch" in sys.modules:
            import torch

            torch.set_num_threads(count)


def settled_threads() -> int:
    """Threads for one operation of what computes without torch: as many as were asked for, else one a core."""
    from provetune.core.processor import usable_cores

    said = os.environ.get(_NUMBER, "").split(",")[0].strip()
    return int(said) if said.isdigit() and int(said) > 0 else usable_cores()
