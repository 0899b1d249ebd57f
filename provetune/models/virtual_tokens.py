"""Virtual tokens: learned embeddings in front of those of a text, for a model that is frozen.

They are as free as a word's embedding is fixed, and pass through all that words pass through. The text keeps its own
positions (virtual tokens stand at its first one, which a learned vector makes up for), and what is read of the last
layer is the text's part alone: heads find the first token, and every other, where they are without virtual tokens.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Encoder: TypeAlias = Literal["none", "mlp", "lstm"]
Start: TypeAlias = Literal["words", "random"]
PART = "virtual_tokens"
SPREAD = 0.02
# These number their positions from the padding token's number + 1, and give padding that number itself.
_OFFSET = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
_ABSOLUTE = frozenset({"bert", "electra", "distilbert", "deberta", "deberta-v2"})


class VirtualTokens(nn.Module):
    """Embeddings of P virtual tokens.

    Args:
        table: where they begin, (P, E).
        encoder: the network that makes them while they are learned: ``"lstm"``, two layers in both directions and a
            perceptron (P-tuning), ``"mlp"``, a perceptron, ``"none"``.
        hidden: its width.
    """

    def __init__(self, table: Tensor, encoder: Encoder, hidden: int) -> None:
        super().__init__()
        width = table.shape[1]
        self.table = nn.Parameter(table.clone())
        self.lstm: nn.LSTM | None = None
        self.mlp: nn.Sequential | None = None
        if encoder == "lstm":
            self.lstm = nn.LSTM(width, hidden, num_layers=2, bidirectional=True, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, width))
        elif encoder == "mlp":
            self.mlp = nn.Sequential(
                *(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width))
            )

    def forward(self) -> Tensor:
        """(P, E)."""
        found: Tensor = self.table
        if self.lstm is not None:
            found = self.lstm(found[None])[0][0]
        return found if self.mlp is None else self.mlp(found)

    def settle(self) -> None:
        """Keep what the network makes, and let go of the network."""
        table = self().detach().clone()
        self.lstm, self.mlp = None, None
        self.table = nn.Parameter(table)


class _Skipped(nn.Module):
    """Marks a pooler: so many tokens stand before the first one that it is to read."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


def add_virtual_tokens(model: nn.Module, count: int, *, start: Start, encoder: Encoder, hidden: int) -> None:
    """Put virtual tokens in front of every text that a model reads, to be trained.

    Args:
        count: how many, P.
        start: begin as words drawn from the vocabulary, or at random.
        encoder, hidden: see `VirtualTokens`.
    """
    backbone = backbone_of(model)
    words: Tensor = backbone.get_input_embeddings().weight  # type: ignore[operator]
    if start == "words":
        table = words.detach()[torch.randint(len(words), (count,)).to(words.device)]
    else:
        table = torch.randn(count, words.shape[1]).to(words.device) * SPREAD
    backbone.add_module(PART, VirtualTokens(table, encoder, hidden).to(words.device))
    if _put_in_front not in backbone._forward_pre_hooks.values():  # a copy of a model that had some
        backbone.register_forward_pre_hook(_put_in_front, with_kwargs=True)
        backbone.register_forward_hook(_take_away)
    pooler = backbone._modules.get("pooler")
    if pooler is not None:
        # A pooler reads the first token, and is a part of the backbone: the virtual tokens are still there.
        pooler.add_module(PART, _Skipped(count))
        if _skip not in pooler._forward_pre_hooks.values():
            pooler.register_forward_pre_hook(_skip)


def settle_virtual_tokens(model: nn.Module) -> None:
    """Replace the network behind a model's virtual tokens by what it makes."""
    for module in model.modules():
        if isinstance(module, VirtualTokens):
            module.settle()


def backbone_of(model: Any) -> nn.Module:
    """The part of a transformers model that turns tokens into hidden states; all of it where there is no head."""
    backbone: nn.Module = model.base_model
    return backbone


def has_virtual_tokens(model: Any) -> bool:
    """Whether a model's texts have virtual tokens in front."""
    return PART in backbone_of(model)._modules


def _put_in_front(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[()], dict[str, Any]] | None:
    part = module._modules.get(PART)
    if part is None:
        return None
    # Heads hand over the tokens first and everything else by name.
    given = dict(kwargs)
    ids, found = (args[0] if args else given.pop("input_ids")), part()
    if len(args) > 1:
        raise ValueError("a model with virtual tokens takes all but the tokens by name")
    words = module.get_input_embeddings()(ids)  # type: ignore[operator]
    count = found.shape[0]
    front = found.to(words.dtype).expand(ids.shape[0], -1, -1)
    given["inputs_embeds"] = torch.cat([front, words], dim=1)
    if given.get("attention_mask") is not None:
        given["attention_mask"] = functional.pad(given["attention_mask"], (count, 0), value=1)
    if given.get("token_type_ids") is not None:
        given["token_type_ids"] = functional.pad(given["token_type_ids"], (count, 0))
    positions = _positions(module, ids)
    if positions is not None:
        given["position_ids"] = torch.cat([positions[:, :1].expand(-1, count), positions], dim=1)
    return (), given


def _skip(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    part = module._modules.get(PART)
    return (args[0][:, part.count :], *args[1:]) if isinstance(part, _Skipped) else None


def _positions(module: Any, ids: Tensor) -> Tensor | None:
    """The positions (B, T) that the text's tokens have without virtual ones; None where there are none to learn."""
    family = module.config.model_type
    if family in _ABSOLUTE:
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    if family in _OFFSET:
        padding = int(module.embeddings.padding_idx)
        there = ids.ne(padding).int()
        return (there.cumsum(dim=1) * there).long() + padding
    return None


def _take_away(module: nn.Module, args: Any, output: Any) -> Any:
    part = module._modules.get(PART)
    if part is None:
        return output
    count = part.table.shape[0]  # type: ignore[index]
    if isinstance(output, tuple):
        return (output[0][:, count:], *output[1:])
    output.last_hidden_state = output.last_hidden_state[:, count:]
    return output
