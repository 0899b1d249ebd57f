"""Training speed, side by side with what a user would otherwise run, in one process and in turn.

    python benchmarks/train_speed.py                 # whole epochs of sst2 and clinc150, two rounds
    python benchmarks/train_speed.py --quick --json  # under five minutes
    python benchmarks/train_speed.py --busy          # what is left with one core kept busy

Figures are examples a second over whole epochs; ratios are ratios of medians. `peak_share` is nominal model
FLOPs (6 a weight and token, attention included, padding and everything skipped not counted as work saved) over
the FLOP/s of a 2048³ matrix product in the same run and number format.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Cells, add_usual_arguments, figures, gemm_peak, interleave, labelled_rows, machine, say, show
from recipes import Labelled, naive, provetune, trainer_defaults, trainer_tuned

RATE = {"naive": 5e-5, "trainer": 5e-5, "trainer_tuned": 1e-4, "provetune": 1e-4}
BASELINES = {"a": "naive", "b": "trainer", "c": "trainer_tuned"}


def main() -> None:
    arguments = parse()
    if arguments.one:
        print(run_alone(arguments))
        return
    names = ("sets", "rows", "rounds", "variants", "device", "busy")
    settings = {name: getattr(arguments, name) for name in names}
    cells = Cells(arguments.save, settings, fresh=arguments.fresh)
    document = busy(arguments, cells) if arguments.busy else measure(arguments, cells)
    show(document, arguments.json, cells)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--sets", nargs="+", default=["sst2", "clinc150"], help="data sets")
    parser.add_argument("--rows", type=int, help="rows of each set (an epoch is then all of these)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--variants", nargs="+", default=[*BASELINES.values(), "provetune", "provetune_plain"])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--busy", action="store_true", help="measure with one core kept busy instead")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.rows = 1, arguments.rows or 320
    return arguments


def backbone() -> Path:
    from provetune.models.backbones import find_backbone

    return find_backbone("minilm-en", "en").path


def load(name: str, limit: int | None) -> Labelled:
    texts, labels = labelled_rows(name, limit)
    names = sorted(set(labels))
    place = {label: index for index, label in enumerate(names)}
    return Labelled(texts, [place[label] for label in labels], names)


def recipe(name: str, device: str) -> Any:
    if name.startswith("provetune"):
        return partial(provetune, learning_rate=RATE["provetune"], speedups=name == "provetune", device=device)
    function = {"naive": naive, "trainer": trainer_defaults, "trainer_tuned": trainer_tuned}[name]
    return partial(function, learning_rate=RATE[name])


def measure(arguments: argparse.Namespace, cells: Cells) -> dict[str, Any]:
    folder = backbone()
    found: dict[str, dict[str, float]] = {}
    per_set: dict[str, dict[str, float]] = {}
    share: dict[str, float] = {}
    for name in arguments.sets:
        data = load(name, arguments.rows)
        run = {
            variant: partial(rate_of, recipe(variant, arguments.device), folder, data) for variant in arguments.variants
        }
        if not arguments.quick:
            warm_up(run, folder, data, arguments.device)

        def tell(line: str, name: str = name) -> None:
            say(f"{name}: {line} examples/s")

        rates = figures(interleave(run, arguments.rounds, tell, cells=cells, name_as=f"{name}/"))
        found |= {f"{name}/{variant}": figure for variant, figure in rates.items()}
        ours = rates["provetune"]["median"]
        per_set[name] = {
            letter: ours / rates[variant]["median"] for letter, variant in BASELINES.items() if variant in rates
        }
        peak = cells.measure(f"{name}/gemm_peak", partial(peak_here, arguments.device))
        share[name] = ours * work_of_a_text(folder, data) / peak
    first = arguments.sets[0]
    return {
        "machine": machine(),
        "rows": arguments.rows,
        "rounds": arguments.rounds,
        "unit": "examples/s",
        "figures": found,
        "ratios": per_set[first],
        "ratios_by_set": per_set,
        "peak_share": share[first],
        "peak_share_by_set": share,
    }


def rate_of(function: Any, folder: Path, data: Labelled) -> float:
    return len(data.texts) / function(folder, data, epochs=1, seed=1).seconds


def warm_up(run: dict[str, Any], folder: Path, data: Labelled, device: str) -> None:
    """A few batches of everything, so that nobody pays for first calls."""
    few = Labelled(data.texts[:96], data.labels[:96], data.names)
    for variant in run:
        rate_of(recipe(variant, device), folder, few)


def peak_here(device: str) -> float:
    """FLOP/s of a matrix product in the number format that training takes here."""
    from provetune.models.precision import choose_precision

    return gemm_peak(choose_precision("auto", device).name, device)


def work_of_a_text(folder: Path, data: Labelled) -> float:
    """Nominal floating-point operations of training on one text, the mean."""
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(folder)
    ids = AutoTokenizer.from_pretrained(folder)(data.texts, truncation=True, max_length=128)["input_ids"]
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    weights = layers * (4 * width * width + 2 * width * inner)
    return float(sum(6 * weights * len(row) + 12 * layers * width * len(row) ** 2 for row in ids) / len(ids))


def busy(arguments: argparse.Namespace, cells: Cells) -> dict[str, Any]:
    """Our rate alone and beside a process that never sleeps, each in a process of its own, in turn."""
    rows = str(arguments.rows or 1500)
    command = [sys.executable, __file__, "--one", "--rows", rows, "--sets", arguments.sets[0]]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}

    def alone() -> float:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])

    def beside() -> float:
        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            return alone()
        finally:
            neighbour.kill()
            neighbour.wait()

    found = figures(interleave({"quiet": alone, "busy_neighbour": beside}, arguments.rounds, say, cells=cells))
    left = found["busy_neighbour"]["median"] / found["quiet"]["median"]
    return {"machine": machine(), "unit": "examples/s", "figures": found, "ratios": {"quiet": left}, "peak_share": None}


def run_alone(arguments: argparse.Namespace) -> float:
    data = load(arguments.sets[0], arguments.rows)
    folder = backbone()
    rate_of(recipe("provetune", arguments.device), folder, Labelled(data.texts[:64], data.labels[:64], data.names))
    return rate_of(recipe("provetune", arguments.device), folder, data)


if __name__ == "__main__":
    main()
