"""What compression costs and gives: minilm-en on clinc150, beside its parent and the transformers pipeline.

    python benchmarks/compress.py --save compress.json --workspace DIR   # trains the parent first; resumable
    python benchmarks/compress.py --bundle FOLDER --json                 # a clinc150 classifier that is there already
    python benchmarks/compress.py --quick --json                         # a random head, few texts: under five minutes

The parent is what `provetune.run` makes of clinc150 with the method `full`, one seed. Each step is applied to it once
and the derivative written (its acceptance is not judged here: `provetune compress` does that). Then all answer the
same test texts in turn:

  pipeline      transformers.pipeline with the parent, one text at a time, as its documentation shows it
  pipeline_32   the same with batch_size=32
  torch         `load(parent)`: fp32, torch
  onnx, int8, int8_static, bf16, fp16    `load(derivative)`; bf16 computes in bf16, fp16 in fp32

Ratios are of medians. `one_text/X` is the pipeline's time for one text over X's; `bulk/X` X's rate over
pipeline_32's; `smaller/X` the parent's size over X's; `points/X` the parent's accuracy minus X's, in points;
`flips/X` decisions on the test texts that are not the parent's; `neighbours/X` decisions that change when a text is
answered alone (row 12 of the reliability table).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, add_usual_arguments, figures, interleave, labelled_rows, machine, say, show
from predict_speed import median_time, rate

SET = "clinc150"
STEPS = ("onnx", "int8", "int8_static", "bf16", "fp16")
COLD = "import sys; from provetune.cli.main import main; sys.argv[:1] = ['provetune', 'predict']; main()"
ONE_TEXT = "how do i ask for a new card in french"


def main() -> None:
    arguments = parse()
    # Threads that spin while they wait would make every variant depend on what else the machine does.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = {name: getattr(arguments, name) for name in ("texts", "rounds", "bundle", "steps", "quick")}
    cells = Cells(arguments.save, settings, fresh=arguments.fresh)
    with workplace(arguments.workspace) as place:
        parent = Path(arguments.bundle) if arguments.bundle else make_parent(place, quick=arguments.quick)
        bundles = {"torch": parent, **{name: derive(parent, name, place) for name in arguments.steps}}
        document = measure(arguments, bundles, cells)
    show(document, arguments.json, cells)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--bundle", help="a clinc150 classifier to compress, instead of training one")
    parser.add_argument("--workspace", help="keep the parent and the derivatives here, and find them again")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, help="which ones to try")
    parser.add_argument("--texts", type=int, help="test texts; left out, all 5,500 of them")
    parser.add_argument("--rounds", type=int, help="times that every variant is measured")
    arguments = parser.parse_args()
    arguments.texts = arguments.texts or (200 if arguments.quick else 5500)
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 7)
    return arguments


@contextmanager
def workplace(kept: str | None) -> Iterator[Path]:
    if kept is not None:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept).absolute()
        return
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def make_parent(place: Path, *, quick: bool) -> Path:
    """A minilm-en classifier of clinc150: trained, or with a random head."""
    return _random_parent(place / "parent") if quick else _trained_parent(place)


def _trained_parent(place: Path) -> Path:
    import yaml

    import provetune as pt

    folder = DATA / SET
    problem = {
        "name": "clinc150-compress",
        "task": "classification",
        "language": "en",
        "data": {
            **{name: str(folder / file) for name, file in _FILES.items()},
            "columns": {"text": "text", "label": "intent"},
            "out_of_scope": "oos",
        },
        "candidates": {"full": {"backbone": "minilm-en", "method": "full"}},
        "study": {"seeds": 1, "parallel": 1, "keep": "all"},
    }
    path = place / "problem.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False), encoding="utf-8")
    return Path(pt.run(path, workspace=place / "workspace").candidates["full"]["bundles"][0])


_FILES = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}


def _random_parent(folder: Path) -> Path:
    from provetune.core.protocols import Targets
    from provetune.models.backbones import find_backbone
    from provetune.models.bundle import BundleContents, Golden, write_bundle
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.tasks import TASKS

    names = tuple(sorted(set(labelled_rows(SET, None, "test")[1])))
    task, targets = TASKS.get("classification"), Targets("single_label", names, (1,) * len(names))
    backbone = find_backbone("minilm-en", "en")
    model = load_model(backbone.path, task.auto_class, task.head(targets), seed=0)
    record = {"encode": {"max_length": 128, "long_texts": "head", "stride": 32}, "columns": {"text": "text"}}
    contents = BundleContents(
        "transformers", task.name, targets, Golden((), ()), record, model=model, tokenizer=load_tokenizer(backbone)
    )
    return write_bundle(folder, contents)


def derive(parent: Path, name: str, place: Path) -> Path:
    """The derivative of one step, written without being judged."""
    import pyarrow as pa

    from provetune.compression.step import Given
    from provetune.compression.steps import STEPS as KNOWN
    from provetune.models.bundle import BundleContents, Golden, open_bundle, write_bundle
    from provetune.tasks import TASKS

    folder = place / name
    if (folder / "manifest.json").is_file():
        return folder
    bundle, step = open_bundle(parent), KNOWN.get(name)
    texts, labels = labelled_rows(SET, 1000, "train")
    rows = pa.table({"text": texts, "label": labels})
    given = Given(bundle, TASKS.get(bundle.task), bundle.targets, rows, rows, 0, place / f"{name}-scratch")
    began = time.perf_counter()
    made = step.apply(given, step.settings())
    say(f"{name}: made in {time.perf_counter() - began:.1f} s")
    fixed = ("format_version", "bundle_kind", "task", "targets", "packages")
    record = {key: value for key, value in bundle.record.items() if key not in fixed}
    contents = BundleContents(
        made.kind,
        bundle.task,
        bundle.targets,
        Golden((), ()),
        {**record, **made.record},
        model=made.model,
        tokenizer=made.tokenizer,
        furnish=made.furnish,
    )
    return write_bundle(folder, contents)


def measure(arguments: argparse.Namespace, bundles: Mapping[str, Path], cells: Cells) -> dict[str, Any]:
    texts, labels = labelled_rows(SET, arguments.texts, "test")
    cold = cold_starts(bundles, arguments.rounds, cells)
    predictors = open_all(bundles)
    quality = {
        name: cells.measure(f"quality/{name}", partial(judge, predictors["torch"], each, texts, labels))
        for name, each in predictors.items()
    }
    answer = {**pipelines(bundles["torch"]), **{name: each.predict for name, each in predictors.items()}}
    for variant in answer.values():
        variant(texts[:64])
    calls = 30 if arguments.quick else 200
    single = {
        f"one_text_ms/{name}": partial(median_time, run, calls) for name, run in answer.items() if name != "pipeline_32"
    }
    found = figures(interleave(single, arguments.rounds, say, cells=cells))
    some = texts[:1000]
    bulk = {f"texts_a_second/{name}": partial(rate, run, some) for name, run in answer.items()}
    found |= figures(interleave(bulk, arguments.rounds, say, cells=cells))
    found |= figures(cold)
    sizes = {name: size_of(path) for name, path in bundles.items()}
    return {
        "machine": machine(),
        "texts": len(texts),
        "rounds": arguments.rounds,
        "trained": not arguments.quick or arguments.bundle is not None,
        "figures": found,
        "sizes": sizes,
        "quality": quality,
        "engines": {name: f"{each.precision}, {each.engine}" for name, each in predictors.items()},
        "ratios": ratios(found, sizes, quality),
    }


def open_all(bundles: Mapping[str, Path]) -> dict[str, Any]:
    from provetune.inference.predictor import load

    return {name: load(path, precision="bf16" if name == "bf16" else "fp32") for name, path in bundles.items()}


def pipelines(parent: Path) -> dict[str, Any]:
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    classify = pipeline("text-classification", model=str(parent), device="cpu", truncation=True)
    return {"pipeline": classify, "pipeline_32": partial(classify, batch_size=32)}


def judge(parent: Any, derivative: Any, texts: list[str], labels: list[str]) -> dict[str, float]:
    """Accuracy of a bundle, and how many decisions are other than the parent's and than its own without neighbours."""
    found, known = derivative.probabilities(texts), parent.probabilities(texts)
    said = [derivative.targets.names[number] for number in found.argmax(axis=1)]
    some = range(0, len(texts), max(1, len(texts) // 500))
    alone = [int(derivative.probabilities([texts[number]])[0].argmax()) for number in some]
    return {
        "accuracy": sum(one == other for one, other in zip(said, labels, strict=True)) / len(labels),
        "flips": int((found.argmax(axis=1) != known.argmax(axis=1)).sum()),
        "largest_difference": float(abs(found - known).max()),
        "neighbours": sum(int(found[number].argmax()) != one for number, one in zip(some, alone, strict=True)),
    }


def cold_starts(bundles: Mapping[str, Path], rounds: int, cells: Cells) -> dict[str, list[float]]:
    """Seconds of ``provetune predict BUNDLE TEXT`` from nothing."""

    def start(path: Path) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", COLD, str(path), ONE_TEXT], check=True, capture_output=True)
        return time.perf_counter() - began

    variants = {f"cold_start_s/{name}": partial(start, path) for name, path in bundles.items() if "16" not in name}
    return interleave(variants, rounds, say, cells=cells)


def size_of(folder: Path) -> int:
    """Bytes of a bundle's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ratios(
    found: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int], quality: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    middle = {name: figure["median"] for name, figure in found.items()}
    result: dict[str, float] = {}
    for name in sizes:
        result[f"one_text/{name}"] = middle["one_text_ms/pipeline"] / middle[f"one_text_ms/{name}"]
        result[f"bulk/{name}"] = middle[f"texts_a_second/{name}"] / middle["texts_a_second/pipeline_32"]
        result[f"neighbours/{name}"] = quality[name]["neighbours"]
        if name == "torch":
            continue
        result[f"smaller/{name}"] = sizes["torch"] / sizes[name]
        result[f"points/{name}"] = 100 * (quality["torch"]["accuracy"] - quality[name]["accuracy"])
        result[f"flips/{name}"] = quality[name]["flips"]
    return result


if __name__ == "__main__":
    main()
