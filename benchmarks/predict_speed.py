"""Answering, against the transformers pipeline: in bulk, one text at a time, and from a cold start.

    python benchmarks/predict_speed.py [--quick] [--json]

Every variant answers the same texts of sst2 and clinc150 with the same minilm-en classifier (random head: speed
does not depend on what was learned; give --bundle for one that was trained). In turn:

  pipeline           transformers.pipeline on a list of texts, as its documentation shows it (one text at a time)
  pipeline_batch_32  the same with batch_size=32
  provetune_fp32     `load(bundle).predict(texts)`: the default, agrees with the pipeline to rounding
  provetune_auto     `load(bundle, precision="auto")`: bf16 where the machine multiplies it natively

Ratios are of medians: `bulk` is provetune_auto and `bulk_fp32` provetune_fp32 to pipeline_batch_32, for the first
set; `one_text` and `cold_start` are the pipeline's time to ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Cells, add_usual_arguments, figures, gemm_peak, interleave, labelled_rows, machine, say, show

ONE_TEXT = "a gripping and touching film that never quite lets go"
COLD = {
    "provetune": (
        "import sys; from provetune.inference.predictor import load; load(sys.argv[1]).predict([sys.argv[2]])"
    ),
    "pipeline": (
        "import sys; from transformers import pipeline; "
        "pipeline('text-classification', model=sys.argv[1], device='cpu')(sys.argv[2])"
    ),
    "command_line": "import sys; from provetune.cli.main import main; sys.argv[:1] = ['provetune', 'predict']; main()",
}


def main() -> None:
    arguments = parse()
    # Threads that spin while they wait would make every variant depend on what else the machine does.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = {name: getattr(arguments, name) for name in ("sets", "texts", "rounds", "bundle")}
    cells = Cells(arguments.save, settings, fresh=arguments.fresh)
    with tempfile.TemporaryDirectory() as place:
        bundle = arguments.bundle or str(make_bundle(Path(place)))
        document = measure(arguments, bundle, cells)
    show(document, arguments.json, cells)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--sets", nargs="+", default=["sst2", "clinc150"], help="data sets")
    parser.add_argument("--texts", type=int, help="texts of each set")
    parser.add_argument("--rounds", type=int, help="times that every variant is measured")
    parser.add_argument("--bundle", help="answer with this bundle instead of a minilm-en with a random head")
    arguments = parser.parse_args()
    arguments.texts = arguments.texts or (300 if arguments.quick else 1800)
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    return arguments


def make_bundle(folder: Path) -> Path:
    """A minilm-en classifier with two labels and a random head."""
    from provetune.core.protocols import Targets
    from provetune.models.backbones import find_backbone
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.tasks import TASKS

    task, targets = TASKS.get("classification"), Targets("single_label", ("negative", "positive"))
    backbone = find_backbone("minilm-en", "en")
    model = load_model(backbone.path, task.auto_class, task.head(targets), seed=0)
    record = {"encode": {"max_length": 128, "long_texts": "head", "stride": 32}, "columns": {"text": "text"}}
    contents = BundleContents(
        "transformers", task.name, targets, Golden((), ()), record, model=model, tokenizer=load_tokenizer(backbone)
    )
    return write_bundle(folder / "bundle", contents)


def measure(arguments: argparse.Namespace, bundle: str, cells: Cells) -> dict[str, Any]:
    cold = cold_starts(bundle, 1 if arguments.quick else arguments.rounds, cells)
    answer, predictors = answerers(bundle)
    found: dict[str, dict[str, float]] = {}
    for name in arguments.sets:
        texts = labelled_rows(name, arguments.texts, "test")[0]
        for variant in answer.values():
            variant(texts[:64])
        variants = {variant: partial(rate, run, texts) for variant, run in answer.items()}

        def tell(line: str, name: str = name) -> None:
            say(f"{name}: {line} texts/s")

        rates = interleave(variants, arguments.rounds, tell, cells=cells, name_as=f"{name}/")
        found |= {f"{name}/{variant}": figure for variant, figure in figures(rates).items()}
    calls = 40 if arguments.quick else 200
    single = {
        f"one_text_ms/{name}": partial(median_time, run, calls)
        for name, run in answer.items()
        if name != "pipeline_batch_32"
    }
    found |= figures(interleave(single, 2 if arguments.quick else arguments.rounds, say, cells=cells))
    found |= figures(cold)
    first = arguments.sets[0]
    texts = labelled_rows(first, arguments.texts, "test")[0]
    shares = {}
    for variant, predictor in predictors.items():
        peak = cells.measure(f"gemm_peak/{predictor.precision}", partial(gemm_peak, predictor.precision))
        shares[variant] = found[f"{first}/{variant}"]["median"] * flops_a_text(bundle, texts) / peak
    return {
        "machine": machine(),
        "texts": arguments.texts,
        "rounds": arguments.rounds,
        "figures": found,
        "ratios": ratios(found, arguments.sets),
        "peak_share": shares["provetune_auto"],
        "peak_share_by_variant": shares,
        "precision": {name: each.precision for name, each in predictors.items()},
        "largest_difference": largest_difference(bundle, predictors, texts[:200]),
    }


def answerers(bundle: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What answers a list of texts, by variant, and our predictors."""
    from transformers import pipeline
    from transformers.utils import logging

    from provetune.inference.predictor import load

    logging.set_verbosity_error()
    classify = pipeline("text-classification", model=bundle, device="cpu")
    predictors = {"provetune_fp32": load(bundle), "provetune_auto": load(bundle, precision="auto")}
    theirs = {"pipeline": classify, "pipeline_batch_32": partial(classify, batch_size=32)}
    return {**theirs, **{name: each.predict for name, each in predictors.items()}}, predictors


def rate(run: Any, texts: list[str]) -> float:
    """Texts a second."""
    began = time.perf_counter()
    run(texts)
    return len(texts) / (time.perf_counter() - began)


def median_time(run: Any, calls: int) -> float:
    """Milliseconds of one call with one text, the median."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        run([ONE_TEXT])
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def cold_starts(bundle: str, rounds: int, cells: Cells) -> dict[str, list[float]]:
    """Seconds from starting Python to having answered one text."""

    def start(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, bundle, ONE_TEXT], check=True, capture_output=True)
        return time.perf_counter() - began

    start(COLD["pipeline"])
    variants = {f"cold_start_s/{name}": partial(start, code) for name, code in COLD.items()}
    return interleave(variants, rounds, say, cells=cells)


def ratios(found: dict[str, dict[str, float]], sets: list[str]) -> dict[str, float]:
    middle = {name: figure["median"] for name, figure in found.items()}
    result: dict[str, float] = {}
    for name in sets:
        ending = "" if name == sets[0] else f"_{name}"
        for key, ours in (("bulk", "provetune_auto"), ("bulk_fp32", "provetune_fp32")):
            result[f"{key}{ending}"] = middle[f"{name}/{ours}"] / middle[f"{name}/pipeline_batch_32"]
        result[f"bulk_as_documented{ending}"] = middle[f"{name}/provetune_auto"] / middle[f"{name}/pipeline"]
    result["one_text"] = middle["one_text_ms/pipeline"] / middle["one_text_ms/provetune_fp32"]
    result["cold_start"] = middle["cold_start_s/pipeline"] / middle["cold_start_s/provetune"]
    return result


def flops_a_text(bundle: str, texts: list[str]) -> float:
    """Mean floating-point operations of a text's matrix products, padding not counted."""
    from tokenizers import Tokenizer

    config = json.loads((Path(bundle) / "config.json").read_text(encoding="utf-8"))
    size, wide, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    tokenizer = Tokenizer.from_file(str(Path(bundle) / "tokenizer.json"))
    tokenizer.no_padding()
    tokens = statistics.fmean(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
    return 2 * tokens * layers * (4 * size * size + 2 * size * wide)


def largest_difference(bundle: str, predictors: dict[str, Any], texts: list[str]) -> dict[str, float]:
    """Largest difference of a probability from the transformers pipeline's, by predictor."""
    from transformers import pipeline

    classify = pipeline("text-classification", model=bundle, device="cpu")
    theirs = [{entry["label"]: entry["score"] for entry in row} for row in classify(texts, top_k=None, batch_size=32)]
    return {
        name: max(
            abs(row["labels"][label] - score)
            for row, wanted in zip(each.predict(texts, proba=True), theirs, strict=True)
            for label, score in wanted.items()
        )
        for name, each in predictors.items()
    }


if __name__ == "__main__":
    main()
