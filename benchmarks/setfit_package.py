"""One run of the `setfit` package, in a Python of its own: rows in as JSON, accuracy and seconds out.

`few_shot.py` calls it with the interpreter of a virtual environment that sees this project's packages and has `setfit`
besides. Run it by hand with a file of the form that `few_shot.package_cell` writes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    torch.set_num_threads(asked["threads"])
    model = SetFitModel.from_pretrained(asked["model"])
    pairs = {"num_iterations": asked["iterations"]} if asked["iterations"] else {}
    arguments = TrainingArguments(
        output_dir=asked["folder"], seed=asked["seed"], report_to="none", save_strategy="no", **pairs
    )
    rows = Dataset.from_dict({"text": asked["texts"], "label": asked["labels"]})
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    said = [int(label) for label in model.predict(asked["test_texts"], batch_size=64)]
    right = sum(one == other for one, other in zip(said, asked["test_labels"], strict=True))
    Path(asked["answer"]).write_text(json.dumps({"score": right / len(said), "seconds": seconds}), encoding="utf-8")


if __name__ == "__main__":
    main()
