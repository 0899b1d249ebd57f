"""Contrastive losses against sentence-transformers, against torch's own, and against sums over single pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from provetune.training.contrastive import NOTHING, compare, cosine_loss, margin_loss, ranking_loss


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(values, dim=-1)


def numbered(rows: int, texts: int) -> torch.Tensor:
    return torch.arange(rows * texts).reshape(rows, texts)


def test_ranking_loss_is_sentence_transformers() -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    embeddings = unit(6, 4, 16)
    theirs = MultipleNegativesRankingLoss(model=torch.nn.Identity(), scale=20.0)
    expected = theirs.compute_loss_from_embeddings(list(embeddings.unbind(dim=1)), labels=None)
    found = ranking_loss(compare(embeddings, numbered(6, 4)), 20.0)
    torch.testing.assert_close(found, expected)


def test_margin_loss_is_the_mean_over_triplets_that_have_a_loss() -> None:
    embeddings = unit(5, 3, 8, seed=3)
    losses = []
    for row in range(5):
        own = float(embeddings[row, 0] @ embeddings[row, 1])
        for other in range(5):
            for text in (1, 2):
                if (other, text) != (row, 1):
                    losses.append(max(0.0, 0.3 - own + float(embeddings[row, 0] @ embeddings[other, text])))
    found = [loss for loss in losses if loss > 0]
    assert 0 < len(found) < len(losses)
    assert margin_loss(compare(embeddings, numbered(5, 3)), 0.3).item() == pytest.approx(sum(found) / len(found))


def test_cosine_loss_is_torchs_for_pairs_beyond_the_margin() -> None:
    queries = functional.normalize(torch.tensor([[1.0, 0.2], [0.9, 0.3]]), dim=-1)
    documents = functional.normalize(torch.tensor([[1.0, 0.0], [0.8, 0.5]]), dim=-1)
    embeddings = torch.stack([queries, documents], dim=1)
    right = functional.cosine_embedding_loss(queries, documents, torch.ones(2))
    wrong = functional.cosine_embedding_loss(queries, documents.flip(0), -torch.ones(2), margin=0.5)
    assert cosine_loss(compare(embeddings, numbered(2, 2)), 0.5).item() == pytest.approx((right + wrong).item())


def test_a_document_that_rows_share_is_no_negative_and_counts_once() -> None:
    embeddings = unit(3, 2, 8)
    embeddings[1, 1] = embeddings[0, 1]
    numbers = torch.tensor([[0, 10], [1, 10], [2, 12]])
    found = compare(embeddings, numbers)
    assert found.cosines.shape == (3, 2)
    assert found.own.tolist() == [0, 0, 1]
    assert found.wrong.tolist() == [[False, True], [False, True], [True, False]]
    first = 20 * embeddings[:, 0] @ torch.stack([embeddings[0, 1], embeddings[2, 1]]).T
    expected = functional.cross_entropy(first, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(ranking_loss(found, 20), expected)


def test_other_documents_of_the_same_query_are_no_negatives() -> None:
    numbers = torch.tensor([[0, 10], [0, 11], [2, 12]])
    found = compare(unit(3, 2, 8), numbers)
    assert found.wrong.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_the_query_itself_is_no_negative() -> None:
    numbers = torch.tensor([[0, 1], [1, 0], [2, 3]])  # each sentence is asked with the other as its answer
    found = compare(unit(3, 2, 8), numbers)
    assert found.wrong.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_a_hard_negative_that_is_another_rows_document_is_one_candidate() -> None:
    numbers = torch.tensor([[0, 10, 11], [1, 11, NOTHING]])
    embeddings = unit(2, 3, 8)
    found = compare(embeddings, numbers)
    assert found.cosines.shape == (2, 2)
    torch.testing.assert_close(found.cosines[0], torch.stack([embeddings[0, 0] @ embeddings[k, 1] for k in range(2)]))
    assert found.wrong.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("loss", [lambda c: ranking_loss(c, 20), lambda c: margin_loss(c, 0.2)])
def test_one_row_alone_has_nothing_to_learn_from(loss: object) -> None:
    embeddings = unit(1, 2, 8).requires_grad_()
    value = loss(compare(embeddings, numbered(1, 2)))  # type: ignore[operator]
    value.backward()
    assert value.item() == 0
    assert embeddings.grad is not None
    assert not embeddings.grad.any()


def test_what_is_ignored_gets_no_gradient_and_no_nan() -> None:
    embeddings = unit(3, 3, 8).requires_grad_()
    numbers = torch.tensor([[0, 10, NOTHING], [0, 11, NOTHING], [0, 12, NOTHING]])
    for loss in (ranking_loss(compare(embeddings, numbers), 20), margin_loss(compare(embeddings, numbers), 0.2)):
        assert math.isfinite(loss.item())
        (gradient,) = torch.autograd.grad(loss, embeddings)
        assert not gradient.any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="number each"):
        compare(unit(3, 2, 8), numbered(3, 3))
    with pytest.raises(ValueError, match="number each"):
        compare(unit(3, 1, 8), numbered(3, 1))
