"""A tokenizer of single characters with chat templates of several kinds, and a tiny decoder, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant\\n' }}{% endif %}"
)
TAGGED = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|end|>\\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant\\n' }}{% endif %}"
)
# Thoughts stand before the last answer alone, as in models that reason.
THINKING = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}{{ '(thought)\\n' }}{% endif %}"
    "{{ message['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant\\n' }}{% endif %}"
)
# Without marks: the answer ends with its line, and system lines are refused.
PLAIN = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ message['role'] + ': ' + message['content'] | trim + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
# Numbers the turns from the end: nothing said in the middle is written as it is at the end.
COUNTING = (
    "{% for message in messages %}{{ loop.revindex ~ message['role'] + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '1assistant' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|start|>", "<|end|>", "<|unk|>")
MERGED = ("ab", ": a", "hello")


def make_chat_tokenizer(template: str | None = CHATML) -> Any:
    """Characters, and a few pieces of several, to numbers; no token is added that the template does not write."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [chr(code) for code in range(32, 127)] + ["\n"] + [chr(code) for code in range(0x4E00, 0x4E40)]
    names = dict.fromkeys([*SPECIAL, *letters, *MERGED])
    backend = Tokenizer(models.WordLevel({name: k for k, name in enumerate(names)}, unk_token="<|unk|>"))
    pieces = "|".join(MERGED)
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{pieces}|[\s\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        bos_token="<|start|>",
        eos_token="<|end|>",
        unk_token="<|unk|>",
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )


def make_tiny_llama(vocabulary: int, seed: int = 0, positions: int = 512) -> Any:
    """A random Llama of 2 layers × 32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def write_tiny_decoder(folder: Path, template: str | None = CHATML, seed: int = 0, positions: int = 512) -> Path:
    """A folder with a random Llama and the tokenizer of characters, in Hugging Face's format."""
    tokenizer = make_chat_tokenizer(template)
    folder.mkdir(parents=True, exist_ok=True)
    make_tiny_llama(len(tokenizer), seed, positions).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder
