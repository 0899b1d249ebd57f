"""Linear layers with some of their inputs or outputs taken out: really smaller matrices, the rest untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from provetune.compression.parent_model import config_field
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

_INNER = ("intermediate_size", "hidden_dim", "ffn_dim", "d_ff")
_HEADS, _GROUPS = "num_attention_heads", "num_key_value_heads"


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward block of one layer.

    Attributes:
        down: name of the linear layer that gathers the neurons.
        up: names of those that make them; a fused one has twice as many outputs.
    """

    down: str
    up: tuple[str, ...]


def inner_field(model: torch.nn.Module) -> str:
    """The configuration's field for how many neurons a feed-forward block has."""
    return config_field(model, _INNER, "how wide their feed-forward blocks are")


def feed_forwards(model: torch.nn.Module) -> list[FeedForward]:
    """The feed-forward blocks, from the embeddings up, told by the shapes of their linear layers.

    Raises:
        UsageError: they cannot be told apart from other linear layers, or there are several widths.
    """
    import torch

    from provetune.models.layer_stacks import layer_stacks

    config: Any = model.config
    inner = int(getattr(config, inner_field(model)))
    stacks = layer_stacks(model)
    found = []
    for stack in stacks:
        for number, layer in enumerate(stack.layers):
            linear = {
                f"{stack.name}.{number}.{name}": module
                for name, module in layer.named_modules()
                if isinstance(module, torch.nn.Linear)
            }
            down = [name for name, module in linear.items() if module.in_features == inner != module.out_features]
            up = [name for name, module in linear.items() if module.out_features in (inner, 2 * inner)]
            up = [name for name in up if linear[name].in_features != inner]
            if (
                len(down) != 1
                or not up
                or any(linear[name].out_features == linear[down[0]].out_features for name in up)
            ):
                raise UsageError(
                    f"The feed-forward blocks of a {type(model).__name__} were not found.", hint="Take drop_layers."
                )
            found.append(FeedForward(down[0], tuple(up)))
    if len({model.get_submodule(block.down) for block in found}) < len(found):
        raise UsageError("The layers of this model share their weights.", hint="int8 makes it smaller.")
    return found


def narrow_block(model: torch.nn.Module, block: FeedForward, kept: Sequence[int]) -> None:
    """Leave only these neurons in a feed-forward block."""
    count = cast(Any, model.get_submodule(block.down)).in_features
    take_inputs(model, block.down, kept)
    for name in block.up:
        fused = cast(Any, model.get_submodule(name)).out_features == 2 * count
        take_outputs(model, name, [*kept, *(number + count for number in kept)] if fused else kept)


def take_inputs(model: torch.nn.Module, name: str, kept: Sequence[int]) -> None:
    """Leave only these inputs of a linear layer."""
    layer = cast(Any, model.get_submodule(name))
    _replace(model, name, layer.weight[:, list(kept)], layer.bias)


def take_outputs(model: torch.nn.Module, name: str, kept: Sequence[int]) -> None:
    """Leave only these outputs of a linear layer."""
    layer = cast(Any, model.get_submodule(name))
    _replace(model, name, layer.weight[list(kept)], None if layer.bias is None else layer.bias[list(kept)])


def _replace(model: torch.nn.Module, name: str, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    import torch

    smaller = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        smaller.weight.copy_(weight)
        if bias is not None:
            smaller.bias.copy_(bias)
    owner, _, child = name.rpartition(".")
    setattr(model.get_submodule(owner), child, smaller.to(weight.device).train(model.training))


@dataclass(frozen=True)
class Attention:
    """The attention of one layer whose configuration says the size of a head by itself.

    Attributes:
        query, key, value: names of the linear layers that make heads.
        output: name of the one that gathers them.
    """

    query: str
    key: str
    value: str
    output: str


def why_heads_stay(config: Any) -> str | None:
    """Why heads cannot be taken out of a model, in one line; None where they can.

    transformers 5 has no `prune_heads`, and most families take a head's size to be the hidden size divided by the
    number of heads: with fewer heads their matrices stay as large.
    """
    family = str(getattr(config, "model_type", "?"))
    if getattr(config, "head_dim", None) is not None and getattr(config, _GROUPS, None) is not None:
        return None
    return (
        f"Models of the family '{family}' cannot have fewer heads of the same size in plain transformers; "
        "prune_ffn and drop_layers make them smaller."
    )


def attentions(model: torch.nn.Module) -> list[Attention]:
    """The attention blocks, from the embeddings up.

    Raises:
        UsageError: they are not built as in LLaMA and its kin.
    """
    from provetune.models.layer_stacks import layer_stacks

    found = []
    for stack in layer_stacks(model):
        for number, layer in enumerate(stack.layers):
            names = {name.rpartition(".")[2]: f"{stack.name}.{number}.{name}" for name, _ in layer.named_modules()}
            if not {"q_proj", "k_proj", "v_proj", "o_proj"} <= names.keys():
                raise UsageError(f"The heads of a {type(model).__name__} were not found.", hint="Take prune_ffn.")
            found.append(Attention(*(names[f"{part}_proj"] for part in "qkvo")))
    return found


def keep_head_groups(model: torch.nn.Module, block: Attention, kept: Sequence[int]) -> None:
    """Leave only these groups of heads (a key's and value's head with the queries that share it)."""
    config: Any = model.config
    size, groups = int(config.head_dim), int(config.num_key_value_heads)
    queries = int(config.num_attention_heads) // groups
    narrow = [group * size + place for group in kept for place in range(size)]
    wide = [group * queries * size + place for group in kept for place in range(queries * size)]
    take_outputs(model, block.query, wide)
    take_outputs(model, block.key, narrow)
    take_outputs(model, block.value, narrow)
    take_inputs(model, block.output, wide)
