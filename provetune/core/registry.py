"""A folder is a registry: each public module in it is a plug-in, and its file name is its public name.

Listing imports no plug-in; asking for one imports that one. Other distributions add theirs through the
entry-point group of the same name, e.g. ``[project.entry-points."provetune.tasks"]``.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Generic, TypeVar, cast

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

Plugin = TypeVar("Plugin")


class Registry(Generic[Plugin]):
    """The plug-ins of one folder.

    Args:
        package: dotted name of the folder, e.g. ``"provetune.tasks"``; also the entry-point group.
        constant: what each module defines, e.g. ``"TASK"``.
        noun: what one of them is called in errors, e.g. ``"task"``.
    """

    def __init__(self, package: str, constant: str, noun: str) -> None:
        self.package = package
        self.constant = constant
        self.noun = noun
        self._loaded: dict[str, Plugin] = {}
        self._points: dict[str, EntryPoint] | None = None

    def names(self) -> list[str]:
        """Public names, sorted. Imports none of the plug-ins."""
        return sorted({*self._own_names(), *self._foreign()})

    def get(self, name: str) -> Plugin:
        """The plug-in called `name`.

        Raises:
            UsageError: no plug-in has this name; says which is nearest and what exists.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own_names() or name in self._foreign()

    def _load(self, name: str) -> Plugin:
        if name in self._own_names():
            module = importlib.import_module(f"{self.package}.{name}")
            return cast(Plugin, getattr(module, self.constant))
        foreign = self._foreign()
        if name in foreign:
            return cast(Plugin, foreign[name].load())
        raise UsageError(f"There is no {self.noun} '{name}'.", hint=advice(name, self.names()))

    def _own_names(self) -> list[str]:
        spec = find_spec(self.package)
        if spec is None or spec.submodule_search_locations is None:
            return []
        found = pkgutil.iter_modules(list(spec.submodule_search_locations))
        return [module.name for module in found if not module.name.startswith("_")]

    def _foreign(self) -> dict[str, EntryPoint]:
        """What other distributions add. Asked once: the files of every installed one are read for it."""
        if self._points is None:
            self._points = {point.name: point for point in entry_points(group=self.package)}
        return self._points
