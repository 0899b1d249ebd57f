"""What tests of several rooms share: the catalogue's models replaced by tiny ones."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chat_tokenizers import write_tiny_decoder
from forked_workers import ForkedWorker, can_fork
from hypothesis import settings
from still_heap import freeze_loaded

# The same examples every time, so that a change is what makes a test fail; HYPOTHESIS_PROFILE=explore draws new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests come first, so that of several processes none is left with a long one at the end.

    ``pytest --no-loadscope-reorder`` keeps to this order.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """Modules of tests import most of what they need; the rest comes with the tests, see `still_libraries`."""
    freeze_loaded()


@pytest.fixture(scope="module", autouse=True)
def still_libraries() -> Iterator[None]:
    """Full collections stay quick after a module that loaded libraries."""
    yield
    freeze_loaded()


@pytest.fixture(scope="module", autouse=True)
def quick_workers(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Workers that need not load their libraries, see `forked_workers`; not where a module asks for real ones.

    Gives what starts a real one.
    """
    from provetune.study.engines import _process
    from provetune.study.worker import environment

    start_real = _process.start_process

    def fork(threads: int, log: Path) -> ForkedWorker:
        return ForkedWorker(threads, log, {**os.environ, **environment(threads)})

    with pytest.MonkeyPatch.context() as patch:
        if can_fork() and not request.node.get_closest_marker("real_workers"):
            patch.setattr(_process, "start_process", fork)
        yield start_real


@pytest.fixture(autouse=True)
def real_workers_where_asked(request: pytest.FixtureRequest, quick_workers: Any) -> Iterator[None]:
    """Real workers for a single test that is marked so; what its module's fixtures ran had quick ones."""
    if not request.node.get_closest_marker("real_workers"):
        yield
        return
    from provetune.study.engines import _process

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_process, "start_process", quick_workers)
        yield


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which every encoder of the catalogue is a random BERT of 2 layers × 32 that reads letters and hanzi,
    and every decoder a random Llama of that size.

    Set ``PROVETUNE_CACHE`` to it (`monkeypatch.setenv`), and ``backbone: auto`` is quick and needs no network.
    """
    from provetune.core.files import sha256_file, write_json
    from provetune.models.catalogue import entries
    from provetune.models.download import ORIGIN

    cache = tmp_path_factory.mktemp("tiny-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVETUNE_CACHE", str(cache))
        from provetune.models.cache import model_folder

        for entry in entries():
            folder = model_folder(entry)
            if entry.kind == "decoder":
                write_tiny_decoder(folder, positions=4096)
            else:
                write_tiny_bert(folder)
            files = {path.name: sha256_file(path) for path in folder.iterdir()}
            write_json(folder / ORIGIN, {"files": files})
    return cache


def write_tiny_bert(folder: Path, seed: int = 0) -> None:
    """A random BERT of 2 layers × 32 with a tokenizer of single characters, in Hugging Face's format."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(33, 127)]
    hanzi = [chr(code) for code in range(0x4E00, 0x9FFF, 3)]
    names = [*special, *letters, *(f"##{letter}" for letter in letters), *hanzi]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=128,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(config)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT of 2 layers × 32."""
    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    write_tiny_bert(folder)
    return folder


@pytest.fixture(scope="session")
def write_problem(tiny_backbone: Path) -> Callable[..., Path]:
    """Writes a small, quick problem into a folder: 120 rows, three labels, two candidates; returns its file.

    Keyword arguments replace whole sections of the file. Candidates that name no backbone get the tiny one.
    """

    def write(folder: Path, **sections: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        words = {
            "billing": "invoice charged refund",
            "delivery": "parcel late courier",
            "login": "password locked code",
        }
        filler = ("my", "please", "again", "today", "the", "is", "about", "yesterday", "why")
        lines = ["message,intent,channel"]
        for number in range(120):
            label = list(words)[number % 3]
            word = words[label].split()[number // 3 % 3]
            said = [filler[(number * step + 1) % len(filler)] for step in (1, 2, 5)]
            lines.append(f"{said[0]} {word} {said[1]} {said[2]} {number},{label},{'mail' if number % 2 else 'chat'}")
        (folder / "messages.csv").write_text("\n".join(lines) + "\n")
        problem: dict[str, Any] = {
            "name": "support",
            "language": "en",
            "data": {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}},
            "candidates": {
                "words": {"method": "tfidf"},
                "full": {"method": "full", "epochs": 2, "batch_rows": 8, "precision": "fp32"},
            },
            "study": {"seeds": 2, "parallel": 2},
            **sections,
        }
        for candidate in problem["candidates"].values():
            if candidate["method"] != "tfidf":
                candidate.setdefault("backbone", str(tiny_backbone))
        path = folder / "problem.yaml"
        path.write_text(yaml.safe_dump(problem, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium by playwright; one a module, since its driver keeps an event loop running that others must not meet."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the developer tools are not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()
