"""What a user would otherwise run: the training recipes that the benchmarks are measured against.

Each is written the way its audience writes it, on the same rows, for the same epochs, with the same seed.
All return the seconds of the training itself: loading and tokenising are left out for everyone alike.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from provetune.core.protocols import Targets, Task
    from provetune.training.features import FeatureStore


@dataclass(frozen=True)
class Labelled:
    """Texts with label numbers, and the label names."""

    texts: list[str]
    labels: list[int]
    names: list[str]


@dataclass(frozen=True)
class Timed:
    """Seconds of training, and the model it ended with."""

    seconds: float
    model: torch.nn.Module


def naive(folder: Path, data: Labelled, *, epochs: int, learning_rate: float, seed: int) -> Timed:
    """(a) The tutorials' loop: fp32, every text padded to 128, batches of 16, plain AdamW."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(data.names), dtype=torch.float32)
    encoded = tokenizer(data.texts, padding="max_length", truncation=True, max_length=128, return_tensors="pt")
    rows = torch.utils.data.TensorDataset(encoded["input_ids"], encoded["attention_mask"], torch.tensor(data.labels))
    loader = torch.utils.data.DataLoader(rows, batch_size=16, shuffle=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    model.train()
    began = time.perf_counter()
    for _ in range(epochs):
        for input_ids, attention_mask, labels in loader:
            batch = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
            loss = model(**{name: values.to(device) for name, values in batch.items()}).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return Timed(time.perf_counter() - began, model)


def trainer_defaults(folder: Path, data: Labelled, *, epochs: int, learning_rate: float, seed: int) -> Timed:
    """(b) `transformers.Trainer` as it comes, with dynamic padding and batches of 16."""
    return _with_trainer(
        folder, data, epochs, {"per_device_train_batch_size": 16, "learning_rate": learning_rate, "seed": seed}
    )


def trainer_tuned(folder: Path, data: Labelled, *, epochs: int, learning_rate: float, seed: int) -> Timed:
    """(c) `Trainer` as an expert sets it up: bf16, grouped by length, fused AdamW, batches of 32."""
    settings = {
        "per_device_train_batch_size": 32,
        "learning_rate": learning_rate,
        "seed": seed,
        "bf16": True,
        "train_sampling_strategy": "group_by_length",
        "optim": "adamw_torch_fused",
        "warmup_steps": 0.1,
    }
    return _with_trainer(folder, data, epochs, settings)


def _with_trainer(folder: Path, data: Labelled, epochs: int, settings: dict[str, Any]) -> Timed:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class Clock(TrainerCallback):
        began = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.perf_counter()

    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(settings["seed"])
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(data.names), dtype=torch.float32)
    ids = tokenizer(data.texts, truncation=True, max_length=128)
    rows = [
        {"input_ids": i, "attention_mask": m, "labels": label}
        for i, m, label in zip(ids["input_ids"], ids["attention_mask"], data.labels, strict=True)
    ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch,
            num_train_epochs=epochs,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            use_cpu=not torch.cuda.is_available(),
            dataloader_pin_memory=False,
            **settings,
        )
        trainer = Trainer(
            model, arguments, data_collator=DataCollatorWithPadding(tokenizer), train_dataset=rows, callbacks=[clock]
        )
        with redirect_stdout(sys.stderr):  # it prints its own figures, and stdout is one document's
            trainer.train()
    return Timed(time.perf_counter() - clock.began, model)


def provetune(
    folder: Path,
    data: Labelled,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    speedups: bool = True,
    precision: str = "auto",
    device: str = "cpu",
) -> Timed:
    """Provetune's own loop with its defaults; `speedups=False` is its plain fallback."""
    from provetune.core.events import Started
    from provetune.models.loading import load_model, load_tokenizer
    from provetune.models.precision import choose_precision
    from provetune.tasks import TASKS
    from provetune.training.loop import train
    from provetune.training.minimisation import Minimisation
    from provetune.training.settings import TrainSettings

    task = TASKS.get("classification")
    targets = _targets(data)
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, task.auto_class, task.head(targets), seed)
    features = _features(task, tokenizer, data, targets)
    settings = TrainSettings(
        epochs=epochs,
        learning_rate=learning_rate,
        precision=choose_precision(precision, device).name,
        speedups=speedups,
        evaluations=1,
    )
    began = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        events = train(
            model,
            task,
            features,
            targets,
            settings,
            minimise=partial(Minimisation, []),
            score=lambda _: {task.metrics[0].name: 0.0},  # scoring is left out for everyone alike
            primary=task.metrics[0],
            checkpoint=Path(scratch),
            seed=seed,
            pad_id=tokenizer.pad_token_id,
            device=device,
        )
        for event in events:
            if isinstance(event, Started):
                began = time.perf_counter()
        seconds = time.perf_counter() - began
    return Timed(seconds, model)


def _targets(data: Labelled) -> Targets:
    from provetune.core.protocols import Targets

    counts = tuple(data.labels.count(index) for index in range(len(data.names)))
    return Targets("single_label", tuple(data.names), counts)


def _features(task: Task, tokenizer: Any, data: Labelled, targets: Targets) -> FeatureStore:
    """The rows tokenised as a study tokenises them."""
    import pyarrow as pa

    from provetune.core.protocols import EncodeSettings
    from provetune.training.features import encode_split

    table = pa.table(
        {
            "row_id": [str(index) for index in range(len(data.texts))],
            "text": data.texts,
            "label": [data.names[label] for label in data.labels],
        }
    )
    return encode_split(task, table, tokenizer, EncodeSettings(128), targets)
