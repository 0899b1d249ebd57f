"""`tfidf` and `head`: fitted in one go, the same for every seed, saved without pickle, loaded without torch."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

from provetune.core.errors import CorruptError, DataError
from provetune.core.protocols import FitMethod, Targets
from provetune.models.linear_head import HeadStrength
from provetune.models.methods import METHODS
from provetune.models.methods.head import Head
from provetune.models.methods.tfidf import Tfidf, TfidfSettings, choose_blocks, unspaced_share

DATA = Path(__file__).parents[3] / "shared" / "data"
TEXTS = [
    *("where is my parcel", "my parcel is late", "track the parcel please", "parcel not here"),
    *("i lost my card", "card is stolen", "please block my card", "new card please"),
    *("快递到哪了", "我的快递很慢", "查一下快递", "快递没有到"),
]
LABELS = np.repeat([0, 1, 2], 4)
TARGETS = Targets("single_label", ("parcel", "card", "快递"), (4, 4, 4))
QUESTIONS = ["the parcel", "lost card", "快递", "nothing known xyz", ""]


def test_both_are_registered_fit_methods() -> None:
    for name in ("tfidf", "head"):
        method = METHODS.get(name)
        assert isinstance(method, FitMethod)
        assert method.name == name


def test_tfidf_equals_the_pipeline_of_scikit_learn() -> None:
    settings = TfidfSettings(C=4.0, characters="inside_words", character_span=(2, 5))
    model = Tfidf().fit(TEXTS, LABELS, TARGETS, settings)
    theirs = make_pipeline(
        FeatureUnion(
            [
                ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")),
                ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)),
            ]
        ),
        LogisticRegression(C=4.0, tol=1e-8, max_iter=5000),
    ).fit(TEXTS, LABELS)
    np.testing.assert_allclose(softmax(model.logits(QUESTIONS), axis=1), theirs.predict_proba(QUESTIONS), atol=0.01)


@pytest.mark.real_data
def test_tfidf_scores_like_scikit_learn_on_chinese_reviews() -> None:
    file = DATA / "waimai_zh" / "waimai_10k.csv"
    if not file.exists():
        pytest.skip(f"{file} is not here")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [(row["review"], int(row["label"])) for row in csv.DictReader(stream)]
    random.Random(1).shuffle(rows)
    texts, labels = [row[0] for row in rows], np.array([row[1] for row in rows])
    settings = TfidfSettings(C=4.0, words=None, most_characters=10**6)
    model = Tfidf().fit(texts[:1000], labels[:1000], Targets("single_label", ("bad", "good")), settings)
    theirs = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
        LogisticRegression(C=4.0, max_iter=1000),
    ).fit(texts[:1000], labels[:1000])
    ours = model.logits(texts[1000:3000]).argmax(axis=1)
    assert (ours == theirs.predict(texts[1000:3000])).mean() >= 0.995
    assert (ours == labels[1000:3000]).mean() > 0.83


def test_chinese_is_told_by_its_characters() -> None:
    model = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings())
    assert model.logits(["我要查快递"]).argmax() == 2
    assert unspaced_share(["很好吃"]) == 1.0
    assert unspaced_share(["很好 ab"]) == 0.5
    assert unspaced_share(["123 !?"]) == 0.0
    blocks = [block.analyser for block, _ in choose_blocks(["很好吃"], TfidfSettings())]
    assert blocks == ["word", "char"]
    assert [block.analyser for block, _ in choose_blocks(["hello"], TfidfSettings(words=None))] == ["char_wb"]


def test_the_strength_is_chosen_on_validation() -> None:
    fixed = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings(C=0.5))
    assert fixed.facts["C"] == 0.5
    chosen = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings(), validation=(TEXTS, LABELS))
    assert chosen.facts["C"] in (1.0, 4.0, 16.0, 64.0)
    assert (chosen.logits(TEXTS).argmax(axis=1) == LABELS).all()


def test_too_many_entries_are_learnt_from_in_evenly_spaced_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TfidfSettings(words=(1, 1), characters="none", C=4.0, least_rows=1)
    texts, labels = ["a b", "c d"] * 50, np.array([0, 1] * 50)
    targets = Targets("single_label", ("ab", "cd"))
    assert Tfidf().fit(texts, labels, targets, settings).facts["rows"] == 100
    monkeypatch.setattr("provetune.models.methods.tfidf._MOST_ENTRIES", 80)  # of 200: two rows of five
    model = Tfidf().fit(texts, labels, targets, settings)
    assert model.facts["rows"] == 40
    # Kept are the rows where the whole part of row · 2/5 steps up: 2, 4, 7, 9, … as many of each label.
    kept = sorted([*range(2, 100, 5), *range(4, 100, 5)])
    by_hand = Tfidf().fit([texts[row] for row in kept], labels[kept], targets, settings)
    np.testing.assert_allclose(model.layer.weight, by_hand.layer.weight, rtol=0.02)
    assert (model.logits(["a", "c"]).argmax(axis=1) == [0, 1]).all()


def test_the_strength_is_chosen_by_some_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provetune.models.methods.tfidf._ENTRIES_TO_CHOOSE_BY", 150)
    model = Tfidf().fit(TEXTS * 3, np.tile(LABELS, 3), TARGETS, TfidfSettings(), validation=(TEXTS, LABELS))
    assert model.facts["rows"] == 36
    fixed = Tfidf().fit(TEXTS * 3, np.tile(LABELS, 3), TARGETS, TfidfSettings(C=model.facts["C"]))
    assert np.array_equal(model.layer.weight, fixed.layer.weight)  # the fit to all rows begins at nought


def test_seeds_change_nothing(tmp_path: Path) -> None:
    first = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings(), seed=1)
    again = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings(), seed=2)
    first.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for name in ("tfidf.safetensors", "tfidf.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_several_labels_a_row() -> None:
    indicators = np.array([[1, 0], [1, 1], [0, 1], [0, 0]] * 3)
    texts = ["red apple", "red and blue", "blue sky", "nothing"] * 3
    model = Tfidf().fit(texts, indicators, Targets("multi_label", ("red", "blue")), TfidfSettings(C=100.0))
    assert ((model.logits(texts) > 0) == (indicators > 0)).all()


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    model = Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings()).scaled(1.5)
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tfidf.json", "tfidf.safetensors"]
    loaded = Tfidf().load(tmp_path)
    assert np.array_equal(loaded.logits(QUESTIONS), model.logits(QUESTIONS))
    assert loaded.facts == model.facts


def test_loading_and_answering_needs_neither_torch_nor_scikit_learn(tmp_path: Path) -> None:
    Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings()).save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from provetune.models.methods.tfidf import METHOD; "
        f"print(METHOD.load(Path({str(tmp_path)!r})).logits(['my card'])[0].argmax(), "
        "[name for name in ('torch', 'sklearn', 'transformers', 'pyarrow') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "1 []"


@pytest.mark.parametrize("damage", ["missing", "cut", "other terms", "no blocks", "not json"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    Tfidf().fit(TEXTS, LABELS, TARGETS, TfidfSettings()).save(tmp_path)
    weights, facts = tmp_path / "tfidf.safetensors", tmp_path / "tfidf.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "other terms":
        document = json.loads(facts.read_text(encoding="utf-8"))
        document["blocks"][0]["terms"].pop()
        facts.write_text(json.dumps(document), encoding="utf-8")
    elif damage == "no blocks":
        facts.write_text("{}")
    else:
        facts.write_text("{")
    with pytest.raises(CorruptError):
        Tfidf().load(tmp_path)


def test_texts_without_anything_to_count() -> None:
    with pytest.raises(DataError, match="nothing that can be counted"):
        Tfidf().fit(["", " "], np.array([0, 1]), Targets("single_label", ("a", "b")), TfidfSettings())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"words": None, "characters": "none"}, "must not both be switched off"),
        ({"words": [3, 1]}, r"fewest, then the most. Got \[3, 1\] instead"),
        ({"C": 0}, "greater than 0"),
        ({"rank": 8}, "rank"),
    ],
)
def test_wrong_settings(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TfidfSettings(**fields)  # type: ignore[arg-type]


def test_head_equals_scikit_learn(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(90, 12)).astype(np.float32)
    features[np.arange(90), np.arange(90) % 3] += 1.0
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labels = np.arange(90) % 3
    model = Head().fit(features, labels, TARGETS, HeadStrength(C=10.0))
    theirs = LogisticRegression(C=10.0, tol=1e-8, max_iter=5000).fit(features.astype(np.float64), labels)
    np.testing.assert_allclose(
        softmax(model.logits(features), axis=1), theirs.predict_proba(features.astype(np.float64)), atol=0.02
    )
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.json", "head.safetensors"]
    loaded = Head().load(tmp_path)
    assert np.array_equal(loaded.logits(features), model.logits(features))
    chosen = Head().fit(features, labels, TARGETS, HeadStrength(), seed=3, validation=(features, labels))
    assert np.array_equal(
        chosen.logits(features),
        Head().fit(features, labels, TARGETS, HeadStrength(), seed=4, validation=(features, labels)).logits(features),
    )
