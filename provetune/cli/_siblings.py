"""Validation and test files that lie beside a training file."""

from __future__ import annotations

import re
from pathlib import Path

_TRAIN = re.compile(r"(?P<before>.*?)(?P<role>train(?:ing)?)(?P<after>.*)", re.IGNORECASE)
_NUMBER = re.compile(r"^[-_.]?\d+(?=\.|\Z)")
_ROLES = {"validation": ("validation", "valid", "val", "dev", "development"), "test": ("test", "testing", "held_out")}


def find_siblings(train: Path) -> dict[str, Path]:
    """The files whose names differ from `train`'s in the role alone, e.g. ``my_train.csv`` and ``my_test.csv``.

    Nothing is found for a file that does not call itself a training file.

    Returns:
        ``"validation"`` and ``"test"``, where there are such files.
    """
    match = _TRAIN.fullmatch(train.stem)
    if match is None:
        return {}
    # A first piece of the training data (train_0.json) has a test file without a number.
    endings = dict.fromkeys((match["after"], _NUMBER.sub("", match["after"])))
    there = {path.name.lower(): path for path in train.parent.iterdir() if path.is_file() and path != train}
    found = {}
    for role, words in _ROLES.items():
        names = (f"{match['before']}{word}{after}{train.suffix}".lower() for after in endings for word in words)
        sibling = next((there[name] for name in names if name in there), None)
        if sibling is not None:
            found[role] = sibling
    return found
