"""Makes model/: an encoder-decoder that knows nothing yet, small enough to be trained from scratch on a laptop.

    python examples/spoken_times/make_model.py

No encoder-decoder comes in a package of the package index, so this sample brings the means to make one: a T5 of a
million random weights, and a tokenizer learned from the sample's own texts. For real work name a pretrained model
instead, e.g. `backbone: Helsinki-NLP/opus-mt-en-fr`, or a folder.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PIECES = 400
SPECIAL = ("<pad>", "</s>", "<unk>")


def make_tokenizer(texts: list[str]) -> Any:
    """Pieces of words as they come in the texts, digits and signs by themselves, an end token after each text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=PIECES, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=64,
        clean_up_tokenization_spaces=False,
    )


def make_model(size: int) -> Any:
    """A T5 of two layers on either side, its weights drawn at random."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=size,
        d_model=128,
        d_kv=32,
        d_ff=512,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.05,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(config)


def main(folder: Path) -> None:
    """Write the model's folder."""
    with (FOLDER / "times.csv").open(encoding="utf-8", newline="") as lines:
        texts = [cell for row in csv.DictReader(lines) for cell in row.values()]
    tokenizer = make_tokenizer(texts)
    make_model(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "model")
