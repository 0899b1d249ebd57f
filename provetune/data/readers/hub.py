"""Data sets by hub name: ``hub:NAME``, ``hub:NAME:SPLIT``, ``hub:NAME#CONFIG:SPLIT``.

The address of the hub is taken from ``HF_ENDPOINT``, so a mirror inside a firewall works. Code that a data set
may bring along is never run.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from provetune.core.errors import DataError, EnvironmentFault
from provetune.core.suggest import advice
from provetune.data.readers._typed import from_arrow
from provetune.data.table import RawTable, ReadOptions

PREFIX = "hub:"
_PATIENCE_SECONDS = 8.0
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class HubName:
    """A hub location taken apart."""

    name: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, location: str) -> HubName:
        """Take ``hub:NAME[#CONFIG][:SPLIT]`` apart.

        Raises:
            DataError: there is no name in it.
        """
        name, _, split = location.removeprefix(PREFIX).partition(":")
        name, _, config = name.partition("#")
        if not name or name.count("/") > 1:
            raise DataError(
                f"'{location}' names no hub data set.", hint="Write hub:OWNER/NAME or hub:OWNER/NAME:SPLIT."
            )
        return cls(name, config or None, split or None)

    def with_split(self, split: str) -> str:
        """The location of one split of this data set."""
        config = f"#{self.config}" if self.config else ""
        return f"{PREFIX}{self.name}{config}:{split}"


class HubReader:
    """Reads one split of a data set; without a split named, its training split."""

    extensions: tuple[str, ...] = ()
    prefix: str | None = PREFIX

    def read(self, location: str, options: ReadOptions) -> RawTable:
        """Download (or take from the cache) and read.

        Raises:
            EnvironmentFault: the hub cannot be reached.
            DataError: no such data set, configuration or split.
        """
        wanted = HubName.parse(location)
        found = _load(wanted, location)
        split = wanted.split or _training_split(found, location)
        if split not in found:
            raise DataError(
                f"The data set has no split '{split}'.",
                where=location,
                hint=advice(split, [str(name) for name in found]),
            )
        rows = found[split]
        label_names = {name: names for name, feature in rows.features.items() if (names := _label_names(feature))}
        table = rows.with_format("arrow")[:]
        if table.num_rows == 0:
            raise DataError("This split has no row.", where=location)
        note = f"Split '{split}' of {', '.join(map(str, found))} was read from {_endpoint()}."
        return from_arrow(table, location, "hub", (note,), label_names)


def find_hub_splits(location: str) -> dict[str, str]:
    """Which split of a hub data set serves as train, validation and test: ours → location.

    A location that already names a split is only that split.

    Raises:
        EnvironmentFault: the hub cannot be reached.
        DataError: no such data set.
    """
    wanted = HubName.parse(location)
    if wanted.split:
        return {"train": location}
    existing = [str(name) for name in _load(wanted, location)]
    found = {}
    for ours, theirs in SPLIT_NAMES.items():
        match = next((name for name in theirs if name in existing), None)
        if match:
            found[ours] = wanted.with_split(match)
    if "train" not in found:
        found["train"] = wanted.with_split(_training_split(dict.fromkeys(existing), location))
    return found


def _label_names(feature: Any) -> list[str] | None:
    """The names of a column of label numbers, or of lists of them (a tag for each token); None for other columns."""
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if type(inner).__name__ == "ClassLabel" else None


def _training_split(found: Any, location: str) -> str:
    names = [str(name) for name in found]
    for name in SPLIT_NAMES["train"]:
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    raise DataError("The data set has no split 'train'.", where=location, hint=f"Name one of {', '.join(names)}.")


def _load(wanted: HubName, location: str) -> Any:
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    unreachable = _transport_error()
    try:
        with _quiet(datasets), _without_retries(unreachable, datasets):
            return datasets.load_dataset(f"hf://datasets/{wanted.name}", wanted.config)
    except (ConnectionError, unreachable) as error:
        raise _offline(location) from error
    except datasets.exceptions.DatasetNotFoundError as error:
        raise DataError(
            f"The hub at {_endpoint()} has no data set '{wanted.name}', or it is not open to you.",
            where=location,
            hint="Check the name (OWNER/NAME); for a closed one set HF_TOKEN.",
        ) from error
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError, HfHubHTTPError, RuntimeError) as error:
        raise DataError(f"This data set cannot be read: {str(error).splitlines()[0]}", where=location) from error


def _transport_error() -> type[Exception]:
    """What the hub client raises without a connection; which HTTP library it stands on differs by version."""
    from huggingface_hub import get_session

    library = sys.modules[type(get_session()).__module__.partition(".")[0]]
    error: type[Exception] = library.TransportError
    return error


@contextlib.contextmanager
def _without_retries(unreachable: type[Exception], datasets: Any) -> Iterator[None]:
    """Where one request finds no hub, let the client use its cache or fail now, not after half a minute of retries."""
    from huggingface_hub import constants, get_session

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    try:
        if not constants.HF_HUB_OFFLINE:
            get_session().head(_endpoint(), timeout=_PATIENCE_SECONDS)
    except unreachable:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """No progress bars on stdout or stderr of a command that may print one JSON document."""
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bar()


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def _offline(location: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"The hub at {_endpoint()} cannot be reached.",
        where=location,
        hint="Set HF_ENDPOINT to a mirror in reach, or save the rows as csv or jsonl and name that file.",
    )


READER = HubReader()
