"""How many threads answer, and how they wait."""

from __future__ import annotations

import os
import sys


def settle_threads(count: int | None = None) -> None:
    """Let idle threads sleep, and limit their number.

    Threads of OpenMP spin while they wait for each other. Beside one busy process on two cores that takes
    training and answering to an eighth of their speed; sleeping costs 2 to 5 % where nothing else runs. It is
    read once, when torch is loaded, so this does nothing about it afterwards; what the user has set is kept.

    Args:
        count: threads for one operation; torch's own choice when left out.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if count is not None:
        import torch

        torch.set_num_threads(count)
