"""AdamW for a CPU: bf16 weights as views of one buffer, fp32 masters beside it, embeddings row by row.

Three costs of the plain optimiser go away. Casting weights to bf16 in every forward pass: they are bf16. Many
small kernels: every dense weight is a slice of one flat tensor, stepped by one fused call. The dense gradient
of the embedding: see `rows.py`, which also says where that departs from AdamW. Weights are never stepped in
bf16: that alone loses points of accuracy, since an update under 1/256 of a weight vanishes.

With fp32 weights the same class works with the master as the weights' own storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from provetune.training.optimisers._parameters import alike, trainable
from provetune.training.optimisers.adamw.plain import BETAS, EPSILON
from provetune.training.optimisers.adamw.rows import EmbeddingRows

ROWS_ONLY_FROM = 4096
"""Vocabulary from which on rows-only steps pay."""


@dataclass
class _Moments:
    """Adam's running means of one tensor."""

    first: Tensor
    second: Tensor

    @classmethod
    def like(cls, tensor: Tensor) -> _Moments:
        return cls(torch.zeros_like(tensor), torch.zeros_like(tensor))


class FastAdamW:
    """AdamW over flat buffers; see the module's text.

    Args:
        model: fp32 model on the CPU; its weights become bf16 views if `dtype` is bf16, until `release`.
        weight_decay: decoupled decay of matrices.
        dtype: of the weights that forward and backward passes see.
        factors: of the learning rate by parameter name; each value is one more call of the kernel, and none costs
            nothing.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weight_decay: float,
        dtype: torch.dtype = torch.bfloat16,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self.model = model
        self.weight_decay = weight_decay
        self.factors = factors or {}
        self.dtype = dtype
        self.steps = 0
        self._stash_frozen()
        self._take_embedding()
        self._flatten()

    def step(self, learning_rate: float, clip: float | None, then: Callable[[], None] | None = None) -> float:
        if then is not None:
            raise ValueError("gradients are gone by the time that the weights have moved: take the plain optimiser")
        self._gather_gradients()
        rows = self.rows.take_gradient() if self.rows is not None else None
        squares = torch.linalg.vector_norm(self.gradient) ** 2
        if rows is not None:
            squares = squares + torch.linalg.vector_norm(rows[1]) ** 2
        norm = float(squares.sqrt())
        scale = 1.0 if clip is None or norm <= clip else clip / (norm + 1e-6)
        self.steps += 1
        if scale != 1.0:
            self.gradient.mul_(scale)
        self._step_dense(self.gradient, learning_rate)
        if rows is not None:
            self._step_rows(rows[0], rows[1].mul_(scale), learning_rate)
        return norm

    def masters(self) -> dict[str, Tensor]:
        found = self._pieces(self.master)
        if self.rows is not None:
            found[self.rows_name] = self.rows.table
        return found

    def weights(self) -> dict[str, Tensor]:
        return {name: values.clone() for name, values in self.masters().items()}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        for name, piece in self._pieces(self.master).items():
            piece.copy_(weights[name])
        if self.rows is not None:
            self.rows.table.copy_(weights[self.rows_name])
        self._publish()

    def state(self) -> dict[str, Tensor]:
        found = {"steps": torch.tensor([self.steps])}
        for name, moments in self._all_moments().items():
            found |= {f"exp_avg.{name}": moments.first, f"exp_avg_sq.{name}": moments.second}
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.steps = int(state["steps"][0])
        for name, moments in self._all_moments().items():
            moments.first.copy_(state[f"exp_avg.{name}"])
            moments.second.copy_(state[f"exp_avg_sq.{name}"])

    def release(self) -> None:
        for name, piece in self._pieces(self.master).items():
            self.dense[name].data = piece.clone()
            self.dense[name].grad = None
        for name, values in self.frozen.items():
            self.model.get_parameter(name).data = values
        if self.rows is not None:
            self.embedding.weight.data = self.rows.table
            _set_module(self.model, self.rows_name.rpartition(".")[0], self.embedding)
        for buffer_name, values in self.buffers.items():
            owner, _, leaf = buffer_name.rpartition(".")
            self.model.get_submodule(owner)._buffers[leaf] = values

    def _stash_frozen(self) -> None:
        """Keep what does not learn in fp32: merging an adapter must not start from rounded weights."""
        self.frozen: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        if self.dtype is torch.float32:
            return
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                self.frozen[name] = parameter.data
                parameter.data = parameter.data.to(self.dtype)
        for name, buffer in self.model.named_buffers():
            if buffer.is_floating_point():
                self.buffers[name] = buffer
                owner, _, leaf = name.rpartition(".")
                self.model.get_submodule(owner)._buffers[leaf] = buffer.to(self.dtype)

    def _take_embedding(self) -> None:
        """Swap a large trainable token embedding for its rows-only stand-in."""
        self.rows: EmbeddingRows | None = None
        embedding = _token_embedding(self.model)
        if embedding is None:
            return
        self.embedding = embedding
        self.rows_name = _parameter_name(self.model, embedding.weight)
        table = embedding.weight.data.clone()
        self.rows = EmbeddingRows(table, embedding.padding_idx, self.dtype)
        self.rows_moments = _Moments.like(table)
        _set_module(self.model, self.rows_name.rpartition(".")[0], self.rows)

    def _flatten(self) -> None:
        """Lay the dense weights end to end, those that are stepped alike together, and make the parameters views."""
        found = trainable(self.model)
        kinds = alike(found, self.weight_decay, self.factors)
        self.dense = {name: found[name] for names, _, _ in kinds for name in names}
        sizes = [parameter.numel() for parameter in self.dense.values()]
        self.spans: list[tuple[slice, float, float]] = []
        start = 0
        for names, decay, factor in kinds:
            end = start + sum(found[name].numel() for name in names)
            self.spans.append((slice(start, end), decay, factor))
            start = end
        self.master = torch.empty(sum(sizes))
        self.live = self.master if self.dtype is torch.float32 else torch.empty(sum(sizes), dtype=self.dtype)
        self.gradient = torch.empty(sum(sizes))
        self.gradient_pieces = self._pieces(self.gradient)
        for name, piece in self._pieces(self.master).items():
            piece.copy_(self.dense[name].data)
        for name, piece in self._pieces(self.live).items():
            self.dense[name].data = piece
        self.moments = _Moments.like(self.master)
        self._publish()

    def _pieces(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of `flat`, one a dense parameter, in its shape."""
        pieces = torch.split(flat, [parameter.numel() for parameter in self.dense.values()])
        return {name: piece.view(self.dense[name].shape) for name, piece in zip(self.dense, pieces, strict=True)}

    def _publish(self) -> None:
        if self.live is not self.master:
            self.live.copy_(self.master)

    def _gather_gradients(self) -> None:
        """Copy the gradients into the flat fp32 buffer, one conversion each, and let go of them."""
        for name, piece in self.gradient_pieces.items():
            gradient = self.dense[name].grad
            if gradient is None:
                piece.zero_()
            else:
                piece.copy_(gradient)
            self.dense[name].grad = None

    def _step_dense(self, gradient: Tensor, learning_rate: float) -> None:
        for span, decay, factor in self.spans:
            self._adam(self.master[span], gradient[span], self.moments, span, learning_rate * factor, decay)
        self._publish()

    def _step_rows(self, ids: Tensor, gradient: Tensor, learning_rate: float) -> None:
        if self.rows is None:
            return
        here = _Moments(self.rows_moments.first[ids], self.rows_moments.second[ids])
        values = self.rows.table[ids]
        rate = learning_rate * self.factors.get(self.rows_name, 1.0)
        self._adam(values, gradient, here, slice(None), rate, self.weight_decay)
        self.rows.table[ids] = values
        self.rows_moments.first[ids] = here.first
        self.rows_moments.second[ids] = here.second

    def _adam(
        self, values: Tensor, gradient: Tensor, moments: _Moments, span: slice, learning_rate: float, decay: float
    ) -> None:
        """PyTorch's fused AdamW kernel on one tensor, in place; it wants the number of this step, from 1."""
        torch._fused_adamw_(
            [values],
            [gradient],
            [moments.first[span]],
            [moments.second[span]],
            [],
            [torch.tensor(float(self.steps))],
            lr=learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _all_moments(self) -> dict[str, _Moments]:
        found = {"dense": self.moments}
        if self.rows is not None:
            found["rows"] = self.rows_moments
        return found


def _token_embedding(model: nn.Module) -> nn.Embedding | None:
    """The model's token embedding if it learns, is large, and shares its weight with nothing."""
    getter = getattr(model, "get_input_embeddings", None)
    embedding = getter() if getter is not None else None
    if not isinstance(embedding, nn.Embedding) or not embedding.weight.requires_grad:
        return None
    if embedding.num_embeddings < ROWS_ONLY_FROM or embedding.max_norm is not None:
        return None
    owners = [
        name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter is embedding.weight
    ]
    return embedding if len(owners) == 1 else None


def _parameter_name(model: nn.Module, parameter: Tensor) -> str:
    return next(name for name, candidate in model.named_parameters() if candidate is parameter)


def _set_module(model: nn.Module, path: str, module: nn.Module) -> None:
    owner, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(owner) if owner else model, leaf, module)
