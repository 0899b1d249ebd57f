"""Features of texts under a frozen backbone: computed once, shared by every trial that needs them.

A split is cut into pieces of a fixed number of rows. Each piece is a file whose name is the hash of everything
its numbers depend on: the texts, the backbone, the token settings, the arithmetic. So workers can compute
pieces side by side, an interrupted pass goes on where it stopped, and a second study finds what the first made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.files import atomic_path, read_json
from provetune.core.processor import instruction_sets
from provetune.core.protocols import EncodeSettings
from provetune.study.quick_tokenizer import quick_tokenizer
from provetune.study.splits_store import load_split
from provetune.study.trial_rows import as_seen
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.study.worker import Work

PIECE_ROWS = 1024
"""Few enough that workers end at about the same time, enough that texts of one length find each other."""
BATCH_TOKENS = 2048
_ENGINE = "plain-1"


def features_of(spec: TrialSpec, examples: pa.Table) -> Array:
    """Features of the examples (N, D), float32, each piece from the cache where it is there.

    Of a round of cross-validation they are taken from those of all rows, which every round and run shares.
    """
    if spec.fold is not None:
        import pyarrow.compute as pc

        whole = as_seen(spec, load_split(Path(spec.study_folder), "train"))
        places = pc.index_in(examples["row_id"], value_set=whole["row_id"].combine_chunks())
        return np.asarray(features_of(replace(spec, fold=None), whole)[places.to_numpy()])
    starts = range(0, examples.num_rows, PIECE_ROWS)
    return np.concatenate([piece_of(spec, examples.slice(start, PIECE_ROWS)) for start in starts])


def cached_features(spec: TrialSpec, examples: pa.Table) -> Array | None:
    """Features of the examples (N, D), where every piece of them is in the cache; else None."""
    starts = range(0, examples.num_rows, PIECE_ROWS)
    if not all(_piece_path(spec, examples.slice(start, PIECE_ROWS)).exists() for start in starts):
        return None
    return features_of(spec, examples)


def piece_of(spec: TrialSpec, rows: pa.Table) -> Array:
    """Features of one piece's rows, read from the cache or computed and put there."""
    from safetensors.numpy import load_file, save_file

    path = _piece_path(spec, rows)
    if path.exists():
        return np.asarray(load_file(path)["features"])
    features = compute_features(spec, rows)
    with atomic_path(path) as temporary:
        save_file({"features": np.ascontiguousarray(features)}, temporary)
    return features


def piece_jobs(spec: TrialSpec, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """Specs of the jobs that compute all pieces of the named splits: ``{"trial", "split", "start"}`` each."""
    return [
        {"trial": spec.to_json(), "split": split, "start": start}
        for split, count in rows.items()
        for start in range(0, count, PIECE_ROWS)
    ]


def features_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: compute one piece of a split, see `piece_jobs`."""
    from provetune.study.trial import fix_arithmetic

    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    fix_arithmetic(trial)
    rows = as_seen(trial, load_split(Path(trial.study_folder), spec["split"]).slice(spec["start"], PIECE_ROWS))
    yield {"event": "features", "split": spec["split"], "start": spec["start"], "rows": rows.num_rows}
    piece_of(trial, rows)
    return {"rows": rows.num_rows}


def compute_features(spec: TrialSpec, rows: pa.Table, precision: str | None = None) -> Array:
    """Features of the rows (N, D), without the cache; in the candidate's number format unless told otherwise."""
    from provetune.models.features import frozen_features
    from provetune.tasks import TASKS
    from provetune.training.features import encode_split

    task = TASKS.get(spec.task)
    wanted = precision or str(spec.settings.get("precision", "fp32"))
    encoder, tokenizer, pad_id = _reader_of(spec, wanted)
    store = encode_split(task, rows, tokenizer, spec.encoding, None)
    return frozen_features(
        encoder, task, store, pad_id, batch_tokens=BATCH_TOKENS, device=spec.device, precision=wanted
    )


def encoder_of(spec: TrialSpec) -> tuple[Any, Any]:
    """The candidate's backbone without a head, and its tokenizer, as transformers has them: what a bundle is made of.

    Raises:
        UsageError: the candidate has no backbone.
    """
    from provetune.models.features import load_encoder
    from provetune.models.loading import load_tokenizer

    path = _backbone_path(spec)
    return load_encoder(path, device=spec.device), load_tokenizer(path)


def _reader_of(spec: TrialSpec, precision: str) -> tuple[Any, Any, int]:
    """What computes features: an encoder, a tokenizer, and the token that fills up; the last one is kept."""
    path = _backbone_path(spec)
    return _load_reader(str(path), str((spec.backbone or {}).get("source")), spec.device, precision)


@lru_cache(maxsize=1)
def _load_reader(path: str, source: str, device: str, precision: str) -> tuple[Any, Any, int]:
    """Plain torch computes a BERT, as it does in the bundle's predictor: transformers takes a third longer for it.

    Half precision then means weights in half precision. Any other encoder is transformers', and computes under
    autocast.
    """
    import torch

    from provetune.inference.backends._bert import load_encoder as load_plain
    from provetune.models.features import load_encoder

    config = read_json(Path(path) / "config.json")
    tokenizer = quick_tokenizer(Path(path), source)
    pad_id = int(config.get("pad_token_id") or 0)
    plain = load_plain(Path(path), config)
    if plain is None:
        return load_encoder(path, device=device), tokenizer, pad_id
    number = torch.bfloat16 if precision == "bf16" else torch.float32
    return plain.to(device=device, dtype=number), tokenizer, pad_id


def _backbone_path(spec: TrialSpec) -> Path:
    if spec.backbone is None:
        raise UsageError(f"Candidate '{spec.candidate}' has no backbone.")
    return Path(spec.backbone["path"])


def _piece_path(spec: TrialSpec, rows: pa.Table) -> Path:
    return Path(spec.cache) / f"frozen-{_piece_hash(spec, rows)}.safetensors"


def _piece_hash(spec: TrialSpec, rows: pa.Table) -> str:
    precision = spec.settings.get("precision")
    arithmetic = [_ENGINE, spec.device, spec.threads, precision, instruction_sets(), version("torch")]
    backbone = None if spec.backbone is None else spec.backbone["content_hash"]
    encoding: EncodeSettings = spec.encoding
    digest = hashlib.sha256(json.dumps([spec.task, backbone, asdict(encoding), arithmetic]).encode())
    for name in (name for name in ("text", "text_pair") if name in rows.column_names):
        digest.update(json.dumps([name, rows.column(name).to_pylist()], ensure_ascii=True).encode())
    return digest.hexdigest()[:32]
