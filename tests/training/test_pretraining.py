"""What is learned from raw text, piece by piece: texts, words, masks and losses, against other ways to the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import DataError, UsageError
from provetune.models.language_model import load_masked_model, masked_logits
from provetune.models.loading import load_model, load_tokenizer
from provetune.training.packing import IGNORED
from provetune.training.pretraining.kinds import KINDS
from provetune.training.pretraining.kinds.clm import CausalWork
from provetune.training.pretraining.kinds.simcse import contrast_loss, uniformity
from provetune.training.pretraining.masking import Masker
from provetune.training.pretraining.pieces import TextPieces, cut_texts
from provetune.training.pretraining.settings import USUAL, settle
from provetune.training.pretraining.texts import read_texts
from provetune.training.pretraining.words import jieba_words

MASK = 4
MASKER = Masker(MASK, np.arange(5, 200), 0.15)
LINES = [f"line number {number} says something" for number in range(12)]


@pytest.fixture
def bert(tiny_backbone: Path) -> Path:
    return tiny_backbone


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and words of a few texts: words of one to four tokens, a special one at either end, padding."""
    texts = draw(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=1, max_size=5))
    first = draw(st.integers(0, 50))
    width = max(sum(text) for text in texts) + 2
    words = np.full((len(texts), width), -1, dtype=np.int64)
    for row, text in enumerate(texts):
        words[row, 1 : 1 + sum(text)] = np.repeat(np.arange(len(text)) + first, text)
    ids = np.random.default_rng(draw(st.integers(0, 99))).integers(5, 200, size=words.shape)
    return np.where(words < 0, 0, ids), words


@given(batches(), st.integers(0, 2**40))
def test_whole_words_are_chosen_and_nothing_else_is_asked(batch: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    ids, words = batch
    seen, labels = MASKER.mask(ids, words, seed)
    asked = labels != IGNORED
    np.testing.assert_array_equal(labels[asked], ids[asked])
    np.testing.assert_array_equal(seen[~asked], ids[~asked])
    assert not asked[words < 0].any()
    assert asked.any(axis=1).all()  # no text is wasted
    for row in range(len(ids)):
        for word in set(words[row][words[row] >= 0].tolist()):
            assert len(set(asked[row][words[row] == word].tolist())) == 1
    again = MASKER.mask(ids, words, seed)
    np.testing.assert_array_equal(again[0], seen)
    np.testing.assert_array_equal(again[1], labels)


def test_shares_are_those_of_the_paper() -> None:
    ids = np.full((200, 400), 7, dtype=np.int64)
    words = np.tile(np.arange(200).repeat(2), (200, 1))
    seen, labels = MASKER.mask(ids, words, 3)
    asked = labels != IGNORED
    assert asked.mean() == pytest.approx(0.15, abs=0.005)
    assert (seen[asked] == MASK).mean() == pytest.approx(0.8, abs=0.015)
    assert (seen[asked] == 7).mean() == pytest.approx(0.1 + 0.1 / 195, abs=0.015)
    assert not np.array_equal(MASKER.mask(ids, words, 4)[1], labels)


def test_lines_documents_and_columns(tmp_path: Path) -> None:
    lines, documents, table = (tmp_path / name for name in ("lines.txt", "documents.txt", "rows.csv"))
    lines.write_text("\n".join([*LINES, LINES[0], "  "]), encoding="utf-8")
    documents.write_text("\n\n".join(f"{line}\nand more" for line in LINES), encoding="utf-8")
    table.write_text("said,by\n" + "\n".join(f"{line},x" for line in LINES), encoding="utf-8")
    assert list(read_texts(lines).texts) == LINES
    assert "1 blank or repeated" in read_texts(lines).notes[-1]
    assert list(read_texts(documents).texts) == [f"{line}\nand more" for line in LINES]
    assert list(read_texts(table, "said").texts) == LINES == list(read_texts(LINES).texts)
    assert read_texts(lines).content_hash == read_texts(table, "said").content_hash


@pytest.mark.parametrize(
    ("content", "column", "said"),
    [
        ("said,by\na,b\n", None, "Which column has the texts? There are said, by. Name it with --column."),
        ("said,by\na,b\n", "sad", "Did you mean 'said'"),
        ("text\na\nb\na\n", None, "at least 10 different texts. There are 2."),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, content: str, column: str | None, said: str) -> None:
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(DataError, match=r"rows\.csv") as caught:
        read_texts(tmp_path / "rows.csv", column)
    assert said in str(caught.value)


def test_no_text_is_both_learned_and_held_out() -> None:
    raw = read_texts(LINES)
    learned, judged = raw.hold_out(0.25, 1)
    assert len(judged) == 3
    assert sorted([*learned, *judged]) == sorted(LINES)
    assert raw.hold_out(0.25, 1) == (learned, judged)
    assert len(raw.hold_out(0.001, 1)[1]) == 2


def test_pieces_have_all_tokens_once_between_special_ones(bert: Path) -> None:
    tokenizer = load_tokenizer(bert)
    texts = ["a word or two of it", "b"]
    pieces = cut_texts(texts, tokenizer, 6)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    inner = [[], []]
    for row, piece in zip(pieces.rows.tolist(), pieces.ids, strict=True):
        assert piece[0] == cls
        assert piece[-1] == sep
        assert len(piece) <= 6
        inner[row] += piece[1:-1].tolist()
    assert inner == tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert cut_texts(texts, tokenizer, 6, first_only=True).rows.tolist() == [0, 1]


def test_chinese_words_are_those_of_jieba(bert: Path) -> None:
    jieba = pytest.importorskip("jieba")
    text = "北京大学的学生来到中国人民银行 ok"
    pieces = cut_texts([text], load_tokenizer(bert), 64, find=jieba_words())
    found = pieces.words[0][1:-1]
    expected = [word for word in jieba.lcut(text) if word.strip()]
    counts = [int((found == number).sum()) for number in dict.fromkeys(found.tolist())]
    assert counts == [len(word) for word in expected]
    assert max(counts) > 1


def test_a_new_head_is_tied_and_asked_at_masked_places_alone(bert: Path) -> None:
    model, new = load_masked_model(bert, 1, "cpu")
    assert new
    table, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert output.data_ptr() == table.data_ptr()
    batch = {"input_ids": torch.randint(5, 150, (2, 9)), "attention_mask": torch.ones(2, 9, dtype=torch.int64)}
    wanted = torch.rand(2, 9) < 0.4
    with torch.no_grad():
        torch.testing.assert_close(masked_logits(model, batch, wanted), model(**batch).logits[wanted])
    other, _ = load_masked_model(bert, 1, "cpu")
    for name, value in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_causal_loss_is_that_of_each_text_alone(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))
    from provetune.models.download import path

    folder = path("smollm2-135m-en")
    model = load_model(folder, "AutoModelForCausalLM", {}, seed=0)
    work = CausalWork(model, load_tokenizer(folder), settle({"max_length": 64}, KINDS.get("clm").defaults, 512))
    texts = ["how are you", "fine, thank you very much"]
    pieces = work.cut(texts)
    assert pieces.ids[0][-1] == work.tokenizer.eos_token_id
    batch = work.collate(pieces.take([0, 1]), 0)
    with torch.no_grad():
        found = work.loss(work.forward(model, batch), batch["labels"], None, None)  # type: ignore[arg-type]
        total, count = 0.0, 0
        for ids in pieces.ids:
            row = torch.tensor(ids[None].astype(np.int64))
            logs = model(input_ids=row).logits[0].log_softmax(-1)
            total -= sum(float(logs[place, row[0, place + 1]]) for place in range(len(ids) - 1))
            count += len(ids) - 1
    assert float(found) == pytest.approx(total / count, rel=1e-5)


def test_contrast_and_uniformity_as_their_papers_have_them() -> None:
    draw = np.random.default_rng(0)
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in draw.normal(size=(2, 5, 8)))
    cosines = np.exp(one @ other.T / 0.05)
    expected = -np.log(np.diag(cosines) / cosines.sum(axis=1)).mean()
    found = contrast_loss(torch.tensor(one), torch.tensor(other), 0.05)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    pairs = [np.exp(-2 * ((one[i] - one[j]) ** 2).sum()) for i in range(5) for j in range(i)]
    assert uniformity(torch.tensor(one)) == pytest.approx(np.log(np.mean(pairs)), rel=1e-4)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="max_length 900 is more than the backbone takes"):
        settle({"max_length": 900}, {}, 512)
    with pytest.raises(UsageError, match="mask_share"):
        settle({"mask_share": 1.5}, {}, 512)
    assert settle({}, {}, 100).max_length == 100
    assert settle({"epochs": None}, {"epochs": 2.0}, 512).model_dump() == {**USUAL, "epochs": 2.0}


def test_unlike_architectures_are_refused(bert: Path, tmp_path: Path) -> None:
    from chat_tokenizers import write_tiny_decoder

    from provetune.models.backbones import describe

    decoder = describe(write_tiny_decoder(tmp_path / "decoder"), name="decoder", source="folder")
    encoder = describe(bert, name="encoder", source="folder")
    given = settle({}, {}, 64), "en", "cpu"
    for name in ("mlm", "simcse"):
        with pytest.raises(UsageError, match=rf"'{name}' works with encoders\. 'decoder' \(llama\) is none"):
            KINDS.get(name).begin(decoder, SimpleNamespace(mask_token_id=1), *given)
    with pytest.raises(UsageError, match=r"'clm' works with decoders\. 'encoder' \(bert\) is none"):
        KINDS.get("clm").begin(encoder, load_tokenizer(bert), *given)


def test_pieces_are_features(bert: Path) -> None:
    pieces = cut_texts(LINES, load_tokenizer(bert), 32)
    assert isinstance(pieces, TextPieces)
    assert pieces.lengths.tolist() == [len(each["input_ids"]) for each in pieces.take(range(len(pieces)))]
