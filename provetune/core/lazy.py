"""Modules that are imported when something of them is first asked for.

For libraries that take seconds to load, where a plug-in must be listed and checked without them and computes with
nothing else. A module that says ``import torch`` at its top would make `provetune methods` wait for it; one that says
so in each of its functions would say little else.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until then. It is not the module, and nothing is put into ``sys.modules`` for it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def import_later(name: str) -> Any:
    """The module called `name`, imported once an attribute of it is asked for.

    Type checkers want the true import beside it::

        if TYPE_CHECKING:
            import torch
        else:
            torch = import_later("torch")
    """
    return _Later(name)
