"""`fastest`: every way to compute a bundle on the CPU, tried, judged and timed here; the quickest that holds is chosen.

Which one that is depends on the processor and the model, so it is measured rather than known: each way is timed in turn
with the bundle that it is made of, and ways are compared by how many times as fast as that they answer one text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.compression.gate import DERIVATIVE, PARENT
from provetune.core.errors import Refused, UsageError

if TYPE_CHECKING:
    from provetune.compression.asked import Asked
    from provetune.compression.working import Working
    from provetune.models.bundle import Bundle

FASTEST = "fastest"
WAYS = ("onnx", "int8", "int8_static")
SUMMARY = f"Try {', '.join(WAYS[:-1])} and {WAYS[-1]}, and choose the quickest that holds; it comes last."
_ONE_TEXT = "latency_p50_ms"


def try_ways(
    ways: Sequence[Asked], parent: Bundle, place: Callable[[str], Path], working: Working
) -> list[dict[str, Any]]:
    """What came of every way that can be gone, as `Working.carry_out` tells it.

    Args:
        place: where the bundle of a step goes.

    Raises:
        UsageError, Refused: no way can be gone; it says why not the first.
    """
    found: list[dict[str, Any]] = []
    why: list[UsageError | Refused] = []
    for each in ways:
        try:
            found.append(working.carry_out(each, parent, place(each.name)))
        except (UsageError, Refused) as error:
            why.append(error)
            working.say({"event": "note", "message": f"{each.name} is left out: {error.message}"})
        else:
            working.say({"event": "judged", **found[-1]})
    if not found:
        raise why[0]
    return found


def choose(tried: Sequence[Mapping[str, Any]], parent: Path) -> dict[str, Any]:
    """The quickest way that holds, or the parent where none is quicker.

    Args:
        tried: what `try_ways` found.

    Returns:
        JSON-ready: ``bundle``; ``step``, None for the parent; ``times_as_fast`` as the parent, of each way that holds;
        ``engine``, what computes; ``words``, the choice as a sentence.
    """
    held = {found["step"]: _times_as_fast(found) for found in tried if found["bundle"] is not None and found["passed"]}
    step = max(held, key=lambda name: held[name], default=None)
    if step is None or held[step] <= 1.0:
        named = "no way holds" if step is None else "none is quicker here"
        words = f"The bundle stays as it is: {named}."
        return {"bundle": str(parent), "step": None, "times_as_fast": held, "engine": None, "words": words}
    found = next(each for each in tried if each["step"] == step)
    engine = found["costs"]["how"]["engines"][DERIVATIVE]
    others = ", ".join(f"{name} {held[name]:.1f}" for name in held if name != step)
    words = f"Chosen: {step} ({engine}), {held[step]:.1f} times as fast as before for one text here"
    return {
        "bundle": found["bundle"],
        "step": step,
        "times_as_fast": held,
        "engine": engine,
        "words": f"{words}{f'; {others}' if others else ''}.",
    }


def _times_as_fast(found: Mapping[str, Any]) -> float:
    sides = found["costs"]["figures"][_ONE_TEXT]
    return float(sides[PARENT] / max(sides[DERIVATIVE], 1e-9))
