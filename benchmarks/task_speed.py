"""Training speed on every task: examples a second of ours beside the plain recipe, in one process and in turn.

    python benchmarks/task_speed.py --save task_speed.json            # 200 warm steps of each, five turns of 40
    python benchmarks/task_speed.py --save task_speed.json --sets wnut17
    python benchmarks/task_speed.py --quick --json                    # 20 steps of each

Sets, rows, backbones and settings are those of `task_results.py`; the recipe is that of `plain_recipes.py`. A step is
one update of the weights, of as many rows as either side's own batches have; a rate counts rows of the file, not the
windows that they are cut into. Every turn begins with steps that are not counted. A ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Cells, add_usual_arguments, figures, interleave, machine, say, show
from plain_recipes import BATCH, make_recipe, run_trainer
from task_sets import SETS
from task_studies import OURS, candidate_name, learned_rows, resolved_study, spec_of, write_problem

if TYPE_CHECKING:
    import torch

WARM = 3
QUICK = ["fiqa_absa"]


def main() -> None:
    arguments = parse()
    cells = Cells(arguments.save, {"rounds": arguments.rounds, "steps": arguments.steps}, fresh=arguments.fresh)
    for name in arguments.sets:
        measure(name, arguments.rounds, arguments.steps, cells)
    show(document(cells, arguments), arguments.json, cells)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), metavar="SET", help="every one when left out")
    parser.add_argument("--rounds", type=int, help="turns of each side; five when left out")
    parser.add_argument("--steps", type=int, help="counted steps of a turn; 40 when left out")
    arguments = parser.parse_args()
    arguments.sets = arguments.sets or (QUICK if arguments.quick else list(SETS))
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.steps = arguments.steps or (10 if arguments.quick else 40)
    return arguments


def measure(name: str, rounds: int, steps: int, cells: Cells) -> None:
    """Both rates of a set, in turn."""
    wanted = [f"{name}/{who}/round {number + 1}" for who in ("ours", "plain") for number in range(rounds)]
    if all(cell in cells.values for cell in wanted):
        return
    with tempfile.TemporaryDirectory() as scratch:
        sides: dict[str, Callable[[], float]] = {
            "ours": our_turns(name, rounds, steps, Path(scratch)),
            "plain": plain_turns(name, steps, Path(scratch)),
        }
        interleave(sides, rounds, lambda line: say(f"{name}: {line} examples/s"), cells=cells, name_as=f"{name}/")


def our_turns(name: str, rounds: int, steps: int, scratch: Path) -> Callable[[], float]:
    """Takes so many steps of our run at each call, and gives its rate."""
    from provetune.core.events import Step

    study = resolved_study(write_problem(name, OURS, SETS[name].candidate, 0, scratch))
    rows, features, events, _ = our_run(study, candidate_name(OURS, 0), rounds * (steps + WARM), scratch)

    def taken(count: int) -> int:
        """Features seen, once `count` more steps are done."""
        while True:
            event = next(events)
            if isinstance(event, Step):
                count -= 1
                if count == 0:
                    return event.examples

    def turn() -> float:
        before = taken(WARM)
        began = time.perf_counter()
        return (taken(steps) - before) / (time.perf_counter() - began) * rows / features

    return turn


def our_run(study: Any, candidate: str, steps: int, scratch: Path) -> tuple[int, int, Iterator[Any], torch.nn.Module]:
    """Rows and features of a training run that has at least so many steps, its events (nothing scored), its model.

    The loop, the model and the features are a study's; see `provetune.study.trained`.
    """
    from dataclasses import replace

    import torch

    from provetune.core.protocols import FollowsSteps, PreparesModel, PreparesTokenizer
    from provetune.core.seeds import derive
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.models.methods import METHODS
    from provetune.study.trained import primary_metric, train_settings
    from provetune.training.features import encode_split
    from provetune.training.loop import train
    from provetune.training.minimisation import Minimisation

    spec, task, targets = spec_of(study, candidate), study.task, study.targets
    path = str(study.backbones[candidate].path)
    tokenizer = load_tokenizer(path)
    if isinstance(task, PreparesTokenizer):
        tokenizer = task.prepare_tokenizer(tokenizer, targets)
    rows = learned_rows(study, candidate)
    features = encode_split(task, rows, tokenizer, spec.encoding, targets)
    model = load_model(path, task.auto_class, task.head(targets), derive(spec.seed, "head"), device=spec.device)
    if isinstance(task, PreparesModel):
        model = task.prepare_model(model, tokenizer, targets)
    method: Any = METHODS.get(spec.settings["method"])
    model = method.prepare(model, method.settings(**spec.method_settings), task)
    settings = train_settings(spec)
    # A batch has no more rows than this, so an epoch no fewer steps: enough of them for every turn, and one to spare.
    least = max(1, len(features) // (settings.batch_rows * settings.accumulate))
    weights = spec.label_weights
    events = train(
        model,
        task,
        features,
        targets,
        replace(
            settings,
            epochs=math.ceil(steps / least) + 1,
            evaluations=1,
            checkpoint_minutes=1e6,
            checkpoint_steps=None,
        ),
        minimise=partial(Minimisation, []),
        score=lambda _: {primary_metric(task).name: 0.0},
        primary=primary_metric(task),
        checkpoint=scratch / "checkpoint",
        seed=spec.seed,
        pad_id=tokenizer.pad_token_id,
        device=spec.device,
        label_weights=None if weights is None else torch.tensor(weights),
        follow=partial(method.after_step, model) if isinstance(method, FollowsSteps) else None,
    )
    return rows.num_rows, len(features), events, model


def plain_turns(name: str, steps: int, scratch: Path) -> Callable[[], float]:
    """Takes so many steps of the plain recipe at each call, and gives its rate."""
    study = resolved_study(write_problem(name, OURS, SETS[name].candidate, 0, scratch))
    recipe = make_recipe(study, candidate_name(OURS, 0), 0, fixed=True)

    def turn() -> float:
        # Without the odd batch at an epoch's end, every step has the same number of rows.
        seconds = run_trainer(recipe, 0, skip=WARM, max_steps=WARM + steps, dataloader_drop_last=True)
        return steps * BATCH / seconds * recipe.rows / len(recipe.features)

    return turn


def document(cells: Cells, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured, with the ratio of each set and what is asked of it."""
    grouped: dict[str, list[float]] = {}
    for cell, rate in cells.values.items():
        grouped.setdefault(cell.rsplit("/", 1)[0], []).append(rate)
    found = figures(grouped)
    ratios = {
        name: found[f"{name}/ours"]["median"] / found[f"{name}/plain"]["median"]
        for name in SETS
        if f"{name}/ours" in found and f"{name}/plain" in found
    }
    return {
        "machine": machine(),
        "unit": "examples/s",
        "rounds": arguments.rounds,
        "steps": arguments.steps,
        "figures": found,
        "ratios": ratios,
        "asked": {name: SETS[name].speed for name in ratios},
        "peak_share": None,
    }


if __name__ == "__main__":
    main()
