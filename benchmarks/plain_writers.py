"""The plain recipes of models that write: translation, and supervised fine-tuning of a chat model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plain_recipes import Recipe, batches

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.study.resolved import ResolvedStudy

SOURCE_LENGTH, TARGET_LENGTH, CHAT_LENGTH = 1024, 128, 1024
IGNORED = -100


def of_translations(study: ResolvedStudy, rows: pa.Table, candidate: str) -> Recipe:
    """``run_translation``: sources and targets, padded to the longest of a batch; written with the model's beams."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq

    folder = _folder(study, candidate)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # transformers 5 would keep the file's half precision, in which nothing trains well on a CPU.
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    longest = min(SOURCE_LENGTH, tokenizer.model_max_length)

    def encode(examples: pa.Table) -> list[dict[str, Any]]:
        found = tokenizer(examples["text"].to_pylist(), max_length=longest, truncation=True)
        return [{name: found[name][k] for name in ("input_ids", "attention_mask")} for k in range(examples.num_rows)]

    features = encode(rows)
    targets = tokenizer(text_target=rows["label"].to_pylist(), max_length=TARGET_LENGTH, truncation=True)
    for feature, ids in zip(features, targets["input_ids"], strict=True):
        feature["labels"] = ids
    collate = DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=IGNORED)

    def answers(examples: pa.Table) -> Any:
        from provetune.tasks.seq2seq.writing import record_of

        sources = encode(examples)
        written: list[Any] = [None] * len(sources)
        model.eval()
        for numbers in batches(sources):
            batch = tokenizer.pad([sources[k] for k in numbers], return_tensors="pt").to(model.device)
            with torch.inference_mode():
                ids = model.generate(**batch, max_length=TARGET_LENGTH)
            for number, text in zip(numbers, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
                written[number] = record_of(text.strip())
        return study.task.answers(written, None, examples, study.targets)

    return Recipe(model, features, collate, 5e-5, answers, rows.num_rows, writes=True)


def of_conversations(study: ResolvedStudy, rows: pa.Table, candidate: str) -> Recipe:
    """Supervised fine-tuning: the template's text, the loss on the assistant's turn, LoRA.

    What the model says afterwards is asked for as ours is, so that likelihood and answers are of the same tokens.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq

    folder = _folder(study, candidate)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(
        plain,
        LoraConfig(r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    features = [
        _conversation(tokenizer, text, answer)
        for text, answer in zip(rows["text"].to_pylist(), rows["label"].to_pylist(), strict=True)
    ]
    collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED)

    def answers(examples: pa.Table) -> Any:
        return _asked(study, candidate, model.merge_and_unload(), examples)

    return Recipe(model, features, collate, 2e-4, answers, rows.num_rows, parts=4)


def _conversation(tokenizer: Any, text: str, answer: str) -> dict[str, Any]:
    """Tokens of a conversation with its answer; what stands before the assistant's turn is not learned."""
    from provetune.data.conversations import read_messages

    messages = read_messages(text)
    before = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": answer}], tokenize=False)
    prompt = tokenizer(before, add_special_tokens=False)["input_ids"]
    ids = tokenizer(whole, add_special_tokens=False, truncation=True, max_length=CHAT_LENGTH)["input_ids"]
    labels = [IGNORED] * min(len(prompt), len(ids)) + ids[len(prompt) :]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


def _asked(study: ResolvedStudy, candidate: str, model: Any, examples: pa.Table) -> Any:
    """Likelihood and answers of a model for the examples, as our studies ask for them."""
    from task_studies import encoding_of

    from provetune.models.forward import predict_outputs
    from provetune.models.loading import load_tokenizer
    from provetune.training.features import encode_split

    task: Any = study.task
    tokenizer = task.prepare_tokenizer(load_tokenizer(_folder(study, candidate)), study.targets)
    model = task.prepare_model(model, tokenizer, study.targets)
    features = encode_split(task, examples, tokenizer, encoding_of(study, candidate), None)
    outputs = predict_outputs(
        model,
        task,
        features,
        tokenizer.pad_token_id,
        targets=study.targets,
        tokenizer=tokenizer,
        device=str(model.device),
    )
    return task.answers(outputs, features, examples, study.targets)


def _folder(study: ResolvedStudy, candidate: str) -> Any:
    backbone = study.backbones[candidate]
    if backbone is None:
        raise SystemExit(f"Candidate '{candidate}' has no backbone.")
    return backbone.path
