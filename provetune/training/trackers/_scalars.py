"""What of an event is a number over steps: the part that all trackers share."""

from __future__ import annotations

import importlib
from types import ModuleType

from provetune.core.errors import EnvironmentFault
from provetune.core.events import Evaluated, Event, Finished, Step


def scalars(event: Event) -> tuple[int, dict[str, float]]:
    """The event's step and its numbers by name; no numbers for events that carry none."""
    if isinstance(event, Step):
        found = {
            "train/loss": event.loss,
            "train/learning_rate": event.learning_rate,
            "train/gradient_norm": event.gradient_norm,
            "train/examples": float(event.examples),
        }
        return event.step, found
    if isinstance(event, Evaluated):
        return event.step, {f"validation/{name}": value for name, value in event.scores.items()}
    if isinstance(event, Finished):
        return event.step, {"best_step": float(event.best_step), "seconds": event.seconds}
    return event.step, {}


def import_extra(module: str, extra: str) -> ModuleType:
    """The tracker's module.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EnvironmentFault(
            f"The tracker '{extra}' is not installed.", hint=f"Install it with: pip install 'provetune[{extra}]'."
        ) from error
