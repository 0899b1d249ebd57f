"""The plain recipes of the Hugging Face examples, one for each kind of task, judged by our scorers.

Written the way their readers run them: `Trainer` as it comes, fp32, the learning rate, batch and lengths that the
examples' read-me files have. Rows, backbone and number of epochs are those of our run; everything else is the recipe's:

* texts and pairs, regression among them (``run_glue``): padded to 128 tokens, batches of 8, learning rate 5e-5;
* tagging (``run_ner``): padded to the longest of a batch, a word's first piece has its tag, the tag of the largest
  logit counts, batches of 8, 5e-5;
* questions (``run_qa``): windows of 384 tokens that share 128, padded to 384, batches of 8, 3e-5;
* translation (``run_translation``): padded to the longest of a batch, batches of 8, 5e-5, the model's own beams;
* chat (supervised fine-tuning of a decoder): conversations padded to the longest of a batch, the loss on the
  assistant's turn, LoRA on every linear layer (rank 16, learning rate 2e-4), batches of 8 that are learned in four
  parts of 2, since long conversations take 14 GB otherwise.

Padding to a fixed length changes nothing that a model learns (what is masked takes no part in attention, and no loss),
but takes several times the arithmetic. So runs that are scored pad to the longest of a batch, and `task_speed.py`,
which measures time alone, pads as the recipe says.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from task_studies import OURS, candidate_name, learned_rows, resolved_study, write_problem

if TYPE_CHECKING:
    import pyarrow as pa
    from task_sets import TaskSet

    from provetune.study.resolved import ResolvedStudy

BATCH = 8


@dataclass
class Recipe:
    """What a recipe makes of a study's rows.

    Attributes:
        model: what trains.
        features: what `Trainer` takes for its rows, F of them.
        collate: a batch of features.
        learning_rate: the recipe's own.
        answers: what the trained model says about examples, as `Task.answers` gives it.
        rows: training rows that the features were made of.
        writes: its model is trained by `Seq2SeqTrainer`.
        parts: a batch is learned in so many, one after the other.
    """

    model: Any
    features: list[dict[str, Any]]
    collate: Callable[[Any], Any]
    learning_rate: float
    answers: Callable[[pa.Table], Any]
    rows: int
    writes: bool = False
    parts: int = 1


def train_plain(name: str, facts: TaskSet, seed: int, workspace: Path) -> dict[str, Any]:
    """One run of the plain recipe: trained on the rows of our run of that seed, judged on the same test rows.

    Returns:
        ``score`` (of the set's metric), all ``metrics``, ``seconds`` of training alone and ``epochs``.
    """
    study = resolved_study(write_problem(name, OURS, facts.candidate, seed, workspace))
    candidate = candidate_name(OURS, seed)
    epochs = float(study.problem.candidates[candidate].epochs)
    recipe = make_recipe(study, candidate, seed, fixed=False)
    seconds = run_trainer(recipe, seed, num_train_epochs=epochs)
    test = study.splits.test
    outcomes = study.task.outcomes(test, recipe.answers(test), study.targets)
    metrics = {key: float(value) for key, value in study.task.score(outcomes, study.targets).items()}
    return {
        "score": metrics[facts.metric],
        "metrics": metrics,
        "seconds": seconds,
        "epochs": epochs,
    }


def make_recipe(study: ResolvedStudy, candidate: str, seed: int, *, fixed: bool) -> Recipe:
    """The recipe for a study's task, with the model loaded and the training rows encoded.

    Args:
        fixed: where the recipe pads to a fixed length, it does; else to the longest of a batch.
    """
    from functools import partial

    from plain_encoders import of_questions, of_tags, of_texts
    from plain_writers import of_conversations, of_translations
    from transformers import set_seed

    makers: dict[str, Callable[[ResolvedStudy, pa.Table, str], Recipe]] = {
        "tagging": of_tags,
        "span_qa": partial(of_questions, fixed=fixed),
        "seq2seq": of_translations,
        "chat": of_conversations,
    }
    set_seed(seed)  # before the model: its head is drawn
    with quiet():
        make = makers.get(study.task.name, partial(of_texts, fixed=fixed))
        return make(study, learned_rows(study, candidate), candidate)


def run_trainer(recipe: Recipe, seed: int, *, skip: int = 0, **settings: Any) -> float:
    """Train, and tell the seconds of it; loading and encoding are left out for everyone alike.

    Args:
        skip: steps before the clock starts.
        settings: of `TrainingArguments`.
    """
    import torch
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):  # type: ignore[misc]
        began = 0.0

        def on_step_begin(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == skip:
                self.began = time.perf_counter()

    makers = (Seq2SeqTrainer, Seq2SeqTrainingArguments) if recipe.writes else (Trainer, TrainingArguments)
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch, quiet():
        arguments = makers[1](
            scratch,
            per_device_train_batch_size=BATCH // recipe.parts,
            gradient_accumulation_steps=recipe.parts,
            learning_rate=recipe.learning_rate,
            seed=seed,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            dataloader_pin_memory=False,
            **settings,
        )
        trainer = makers[0](
            recipe.model,
            arguments,
            data_collator=recipe.collate,
            train_dataset=recipe.features,
            callbacks=[clock],
        )
        trainer.train()
        return time.perf_counter() - clock.began


def batches(features: Sequence[dict[str, Any]], size: int = 32) -> Iterator[list[int]]:
    """Numbers of features, the longest together."""
    order = sorted(range(len(features)), key=lambda number: -len(features[number]["input_ids"]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def model_outputs(
    model: Any, features: Sequence[dict[str, Any]], collate: Callable[[Any], Any], read: Callable[[Any, Any], Any]
) -> list[Any]:
    """What `read` takes from the model's output and the batch, a feature each, in order."""
    import torch

    found: list[Any] = [None] * len(features)
    model.eval()
    with torch.inference_mode():
        for numbers in batches(features):
            batch = {name: value.to(model.device) for name, value in collate([features[k] for k in numbers]).items()}
            for number, value in zip(numbers, read(model(**batch), batch), strict=True):
                found[number] = value
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing of transformers on stdout, which is one document's; no progress bars, no advice."""
    from provetune.models.loading import quiet_transformers

    with redirect_stdout(sys.stderr), quiet_transformers():
        yield
