"""Loading tokenizers and models from a folder: fp32, safetensors, no foreign code, no noise.

A head that the pretrained weights do not have is drawn from a given seed; the caller's own random state is left as
it was.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from provetune.core.errors import CorruptError, UsageError
from provetune.models.backbones import Backbone
from provetune.models.dropouts import set_dropouts

# Whether an answer begins at a token, and whether it ends there: a head that has learned that is worth keeping.
_SAME_OUTPUTS = ("AutoModelForQuestionAnswering",)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Within the block, transformers shows neither progress bars nor warnings."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def load_tokenizer(backbone: Backbone | Path | str) -> Any:
    """The fast tokenizer of a backbone or of a folder. It neither cuts nor pads unless it is told to.

    Raises:
        CorruptError: the tokenizer files are missing or cannot be read.
    """
    from transformers import AutoTokenizer

    path = backbone.path if isinstance(backbone, Backbone) else Path(backbone)
    if not path.is_dir():
        raise UsageError("There is no such folder with a tokenizer.", where=str(path))
    try:
        with quiet_transformers(), warnings.catch_warnings():
            # Marian's punctuation cleaner is another package, which few models were trained with.
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            tokenizer = AutoTokenizer.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CorruptError(f"The tokenizer cannot be read ({_first_line(error)}).", where=str(path)) from error
    if isinstance(backbone, Backbone):
        tokenizer.model_max_length = backbone.max_positions
    _forget_habits(tokenizer)
    return tokenizer


def load_model(
    path: Path | str,
    auto_class: str,
    head: Mapping[str, Any],
    seed: int,
    *,
    device: str = "cpu",
    dropouts: Mapping[str, float] | None = None,
) -> Any:
    """A transformers model with fp32 weights and a head drawn from `seed`, in evaluation mode.

    Attention is computed step by step ("eager") on a CPU, which is the fastest there for training short texts, and by
    torch's fused kernel elsewhere. What the weights lacked is listed in the model's ``new_weights``.

    Args:
        path: a backbone's folder.
        auto_class: transformers' class by name, e.g. ``"AutoModelForSequenceClassification"``.
        head: fields of the configuration that the head needs, e.g. ``id2label``; the output layer is then new, but for
            question answering, whose outputs mean the same in every model. Empty for a model that is complete as it is.
        seed: decides the new weights; equal seeds give equal weights.
        dropouts: other than the backbone's own (`provetune.models.dropouts`).

    Raises:
        UsageError: transformers has no such class, the class does not take this kind of model, or its family knows no
            such dropout.
        CorruptError: the weights lack parts of the backbone, or cannot be read.
    """
    import transformers
    from safetensors import SafetensorError

    if not auto_class.startswith("AutoModel") or not hasattr(transformers, auto_class):
        raise UsageError(f"transformers has no model class '{auto_class}'.")
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError("There is no such folder with a model.", where=str(folder))
    try:
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % (1 << 63))
            model, report = _read_model(folder, auto_class, head, dropouts or {}, device)
            model.new_weights = _check_weights(model, report, folder, head_may_lack=bool(head))
            if head and auto_class not in _SAME_OUTPUTS:
                model.new_weights = sorted({*model.new_weights, *_renew_output(model, report)})
    except (OSError, RuntimeError, KeyError, SafetensorError) as error:
        raise CorruptError(f"The model cannot be read ({_first_line(error)}).", where=str(folder)) from error
    except ValueError as error:
        raise UsageError(f"{auto_class} does not take this model ({_first_line(error)}).", where=str(folder)) from error
    return model.to(device).eval()


def _read_model(
    folder: Path, auto_class: str, head: Mapping[str, Any], dropouts: Mapping[str, float], device: str
) -> tuple[Any, Mapping[str, Any]]:
    """The model, what its weights lack drawn from torch's state, and transformers' report of what that was."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, **head
    )
    set_dropouts(config, dropouts)
    model, report = getattr(transformers, auto_class).from_pretrained(
        str(folder),
        config=config,
        dtype=torch.float32,
        attn_implementation="eager" if torch.device(device).type == "cpu" else "sdpa",
        use_safetensors=any(folder.glob("*.safetensors")),
        weights_only=True,
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    return model, report


def output_layer(model: torch.nn.Module) -> tuple[str, torch.nn.Linear]:
    """The last linear layer, whose outputs are the logits, and its name.

    Raises:
        UsageError: the model has no such layer outside its backbone.
    """
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    count = int(model.config.num_labels)  # type: ignore[union-attr,arg-type]
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith(prefix) and module.out_features == count
    ]
    if not found:
        raise UsageError(f"{type(model).__name__} has no output layer with {count} outputs.")
    return found[-1]


def fold_temperature(model: torch.nn.Module, temperature: float) -> None:
    """Divide the output layer by `temperature`, so that the plain softmax of the logits is calibrated.

    Raises:
        ValueError: `temperature` is not a positive number.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a positive number. Got {temperature!r} instead.")
    _, layer = output_layer(model)
    with torch.no_grad():
        layer.weight.div_(temperature)
        if layer.bias is not None:
            layer.bias.div_(temperature)


def head_modules(model: torch.nn.Module) -> list[str]:
    """Names of the top-level parts outside the backbone, and of its pooler where it has one.

    A model that writes texts has none: its output layer came with the pretrained weights, often as its embeddings. Nor
    has a bare backbone, all of which is backbone.
    """
    prefix = str(getattr(model, "base_model_prefix", ""))
    if writes_texts(model) or not hasattr(model, prefix):
        return []
    outside = [
        name for name, module in model.named_children() if name != prefix and any(True for _ in module.parameters())
    ]
    base = model.get_submodule(prefix)
    poolers = [f"{prefix}.{name}" for name, _ in base.named_children() if name == "pooler"]
    kept = [name for name in poolers if any(True for _ in model.get_submodule(name).parameters())]
    return [*outside, *kept]


def writes_texts(model: torch.nn.Module) -> bool:
    """Whether the model's output layer is one over its vocabulary."""
    getter = getattr(model, "get_output_embeddings", None)
    return getter is not None and getter() is not None


def _check_weights(model: Any, report: Mapping[str, Any], folder: Path, *, head_may_lack: bool) -> list[str]:
    missing = sorted(report["missing_keys"])
    mismatched = sorted(str(each[0]) for each in report["mismatched_keys"])
    prefix = model.base_model_prefix
    all_count = not head_may_lack or not hasattr(model, prefix)
    lost = [
        name
        for name in [*missing, *mismatched]
        if (all_count or name.startswith(f"{prefix}.")) and ".pooler." not in f".{name}"
    ]
    if lost:
        raise CorruptError(
            f"The weights lack {len(lost)} parts of the model, e.g. '{lost[0]}'.",
            where=str(folder),
            hint="The folder's weights and its config.json do not belong together.",
        )
    return sorted({*missing, *mismatched})


def _renew_output(model: Any, report: Mapping[str, Any]) -> list[str]:
    """Draw the output layer anew where the folder had one of the right size: its labels were other labels."""
    name, layer = output_layer(model)
    fresh = {*report["missing_keys"], *(str(each[0]) for each in report["mismatched_keys"])}
    if f"{name}.weight" in fresh:
        return []
    spread = getattr(model.config, "initializer_range", None) or 0.02
    with torch.no_grad():
        torch.nn.init.normal_(layer.weight, std=spread)
        if layer.bias is not None:
            layer.bias.zero_()
    return [f"{name}.{part}" for part, _ in layer.named_parameters()]


def _forget_habits(tokenizer: Any) -> None:
    # Some tokenizer files carry the cutting and padding they were last used with (128 tokens, often).
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    for habit in ("max_length", "stride", "truncation_strategy", "pad_to_multiple_of"):
        tokenizer.init_kwargs.pop(habit, None)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
