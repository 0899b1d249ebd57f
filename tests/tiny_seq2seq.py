"""Random encoder–decoders of 2 layers × 32 and their tokenizers, made on the spot: T5, BART, Marian, mBART."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LETTERS = " !\"'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzàâçéèêëîïôûùü"
HANZI = "我你他好吗是不的一二三四五六七八九十早上晚安谢"
SPECIAL = ("<pad>", "</s>", "<unk>", "<s>")
VOCABULARY = {name: number for number, name in enumerate([*SPECIAL, *LETTERS, *HANZI])}
FAMILIES = ("t5", "bart", "marian")


def letter_tokenizer(*, start: bool = False) -> Any:
    """Every character a token, ``</s>`` at the end; with `start` ``<s>`` before, as BART has it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if start else "$A </s>", special_tokens=[("<s>", 3), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        bos_token="<s>",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def tiny_t5(**more: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=len(VOCABULARY), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, dropout_rate=0.1,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **more,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


def tiny_bart(**more: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=len(VOCABULARY), pad_token_id=0, eos_token_id=1, bos_token_id=3, decoder_start_token_id=1,
        forced_eos_token_id=1, **_layers(), **more,
    )  # fmt: skip
    return BartForConditionalGeneration(config)


def tiny_marian(size: int, pad: int, **more: Any) -> Any:
    from transformers import MarianConfig, MarianMTModel

    config = MarianConfig(
        vocab_size=size, pad_token_id=pad, eos_token_id=0, bos_token_id=0, decoder_start_token_id=pad,
        forced_eos_token_id=0, scale_embedding=True, activation_function="swish", **_layers(), **more,
    )  # fmt: skip
    model = MarianMTModel(config)
    model.generation_config.bad_words_ids = [[pad]]
    return model


def tiny_mbart(size: int, **more: Any) -> Any:
    from transformers import MBartConfig, MBartForConditionalGeneration

    config = MBartConfig(vocab_size=size, **_layers(), decoder_start_token_id=2, eos_token_id=2, pad_token_id=1, **more)
    return MBartForConditionalGeneration(config)


def marian_tokenizer(folder: Path) -> Any:
    """A sentencepiece tokenizer for each side, made from a few sentences."""
    import json
    import warnings

    import sentencepiece

    sides = {
        "source": ["the card was charged twice", "nothing arrived", "where is my parcel"],
        "target": ["la carte a été débitée deux fois", "rien n'est arrivé", "où est mon colis"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    pieces: set[str] = set()
    for side, texts in sides.items():
        (folder / f"{side}.txt").write_text("\n".join(texts * 20), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / f"{side}.txt"), model_prefix=str(folder / side), vocab_size=45,
            hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        found = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
        pieces |= {found.id_to_piece(number) for number in range(found.get_piece_size())}
    names = ["</s>", "<unk>", *sorted(pieces - {"</s>", "<unk>", "<s>"}), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    from transformers import MarianTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MarianTokenizer(
            str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"),
            source_lang="en", target_lang="fr",
        )  # fmt: skip


def write_family(family: str, folder: Path, seed: int = 0) -> Path:
    """A folder with a random model of a family and its tokenizer, in Hugging Face's format."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "marian":
            tokenizer = marian_tokenizer(folder.parent / f"{folder.name}-pieces")
            model = tiny_marian(len(tokenizer.encoder), tokenizer.pad_token_id)
        else:
            tokenizer = letter_tokenizer(start=family == "bart")
            model = {"t5": tiny_t5, "bart": tiny_bart}[family]()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _layers() -> dict[str, Any]:
    return {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
    }
