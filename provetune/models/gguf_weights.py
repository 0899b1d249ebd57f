"""A model in GGUF form made into a plain Hugging Face folder: weights dequantised once, safetensors, tokenizer.

GGUF holds a few bits a weight and cannot be trained on. What its numbers stand for is written out in fp32, exactly,
so that loading it later takes neither time nor the ``gguf`` package.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError, EnvironmentFault
from provetune.core.files import read_json, write_json

_EXTRA = {"gguf": "gguf"}


def require_packages(model: str, needs: Sequence[str]) -> None:
    """Refuse at once, before anything is downloaded, where a package is missing that the model's form takes.

    Raises:
        EnvironmentFault: names the package and the extra that brings it.
    """
    for package in needs:
        if find_spec(package) is None:
            extra = _EXTRA.get(package, package)
            raise EnvironmentFault(
                f"Reading the model '{model}' needs the package '{package}'.",
                hint=f"Install it: pip install 'provetune[{extra}]'.",
            )


def convert_gguf(folder: Path) -> None:
    """Replace a folder's one ``*.gguf`` file by ``config.json``, ``model.safetensors`` and tokenizer files.

    Raises:
        CorruptError: there is not exactly one such file, or it cannot be read.
    """
    found = sorted(Path(folder).glob("*.gguf"))
    if len(found) != 1:
        raise CorruptError(f"There must be one GGUF file. There are {len(found)}.", where=str(folder))
    file = found[0]
    try:
        # transformers draws progress bars here that nothing switches off.
        with contextlib.redirect_stderr(io.StringIO()):
            _convert(file, Path(folder))
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise CorruptError(f"The GGUF file cannot be read ({reason}).", where=str(file)) from error
    file.unlink()


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from provetune.models.loading import quiet_transformers

    place = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        read = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, **place)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **place)
        config = read.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config.name_or_path = ""
        # A model that was read from GGUF refuses to be saved; one built from its configuration does not.
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        plain.load_state_dict(read.state_dict())
        plain.generation_config = read.generation_config
        plain.save_pretrained(str(folder))
        _split_digits(tokenizer, file)
        tokenizer.model_max_length = config.max_position_embeddings
        tokenizer.save_pretrained(str(folder))
    for name in ("config.json", "generation_config.json"):
        _forget_version(folder / name)


def _forget_version(file: Path) -> None:
    """Which release wrote the file must not decide whether two machines have the same backbone."""
    document = read_json(file)
    document.pop("transformers_version", None)
    write_json(file, document)


def _split_digits(tokenizer: Any, file: Path) -> None:
    """Give a tokenizer of the SmolLM family its rule that digits stand alone, which transformers does not take over.

    Without it two spaces before a number become two tokens instead of one, and the model sees what it never saw.
    """
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers

    field = GGUFReader(str(file)).get_field("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
