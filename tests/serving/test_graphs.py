"""What computes a bundle that is served: tried once, kept, said; and torch where there is nothing to choose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import write_network_bundle, write_plain_bundle

from provetune.core.errors import EnvironmentFault, Refused
from provetune.inference.predictor import load
from provetune.models.bundle import open_bundle
from provetune.serving import graphs
from provetune.serving.graph_making import main, make_graph, time_in_turn
from provetune.serving.worker import load_bundle
from provetune.tasks import TASKS


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network_bundle(tmp_path_factory.mktemp("net") / "net")


@pytest.fixture(scope="module")
def graph(network: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    place = tmp_path_factory.mktemp("graph")
    return place / graphs.GRAPH, make_graph(network, place / graphs.GRAPH)


def test_a_graph_gives_what_torch_gives_and_both_are_timed(network: Path, graph: Any) -> None:
    place, found = graph
    assert found["refused"] is None
    ratios = [
        found["milliseconds"]["torch"][what] / found["milliseconds"]["onnxruntime"][what] for what in ("one", "batch")
    ]
    assert found["times_as_fast"] == pytest.approx((ratios[0] * ratios[1]) ** 0.5)
    texts = ["the card was charged twice", "my parcel", "parcel " * 60]
    one, other = (load(each, verify="golden").probabilities(texts) for each in (place, network))
    assert np.abs(one - other).max() < 1e-5
    assert open_bundle(place).record["columns"] == open_bundle(network).record["columns"]


def test_times_are_medians_of_what_the_clock_says(network: Path) -> None:
    moment = [0.0]

    class Slow:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def answers(self, rows: Any) -> None:
            moment[0] += self.seconds * len(rows)

    import pyarrow as pa

    asked = pa.table({"text": ["a", "b"]})
    slow: Any = {"torch": Slow(0.004), "onnxruntime": Slow(0.001)}
    found = time_in_turn(slow, asked, lambda: moment[0])
    assert found["torch"] == {"one": pytest.approx(4.0), "batch": pytest.approx(64.0)}
    assert found["onnxruntime"] == {"one": pytest.approx(1.0), "batch": pytest.approx(16.0)}


def chosen(bundle: Path, folder: Path, backend: str = "auto", **settings: Any) -> graphs.Choice:
    opened = open_bundle(bundle)
    return graphs.choose(opened, TASKS.get(opened.task), {"backend": backend, "graphs": str(folder), **settings})


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch, graph: Any) -> Callable[[dict[str, Any]], list[Path]]:
    """Puts a choice where the process would, and keeps what it was asked for."""

    def prepare(found: dict[str, Any]) -> list[Path]:
        asked: list[Path] = []

        def make(source: Path, place: Path, threads: Any) -> None:
            asked.append(source)
            shutil.copytree(graph[0], place / graphs.GRAPH)
            (place / graphs.CHOICE).write_text(json.dumps(found))

        monkeypatch.setattr(graphs, "_make", make)
        return asked

    return prepare


def test_the_quicker_one_is_taken_and_the_trial_is_kept(network: Path, tmp_path: Path, making: Any) -> None:
    asked = making({"refused": None, "times_as_fast": 2.5})
    first, again = chosen(network, tmp_path), chosen(network, tmp_path)
    assert first == again
    assert first.path.parent.parent == tmp_path
    assert first.words == "a graph of this bundle, 2.5 times as fast as torch here"
    assert len(asked) == 1
    predictor = load_bundle(settings := {"path": str(network), "graphs": str(tmp_path)})
    assert predictor.engine.startswith("onnxruntime")
    assert settings["engine"] == f"{predictor.engine} ({first.words})"
    assert chosen(network, tmp_path, "torch") == graphs.Choice(network)


def test_where_torch_is_quicker_it_answers_and_that_is_said(network: Path, tmp_path: Path, making: Any) -> None:
    making({"refused": None, "times_as_fast": 0.8})
    found = chosen(network, tmp_path)
    assert found == graphs.Choice(network, "ONNX Runtime was tried: 0.8 times as fast here")
    assert chosen(network, tmp_path, "onnx").path.name == graphs.GRAPH


def test_a_changed_bundle_is_tried_anew(network: Path, tmp_path: Path, making: Any) -> None:
    asked = making({"refused": None, "times_as_fast": 2.0})
    other = write_network_bundle(tmp_path / "net", seed=5)
    assert chosen(network, tmp_path / "graphs").path != chosen(other, tmp_path / "graphs").path
    assert len(asked) == 2
    for number in range(graphs._KEPT + 3):
        (tmp_path / "graphs" / f"old-{number}").mkdir()
    graphs._forget_oldest(tmp_path / "graphs")
    assert sum(each.is_dir() for each in (tmp_path / "graphs").iterdir()) == graphs._KEPT


@pytest.mark.parametrize(
    ("options", "said"),
    [({"device": "cuda"}, "fp32 on the CPU"), ({"precision": "bf16"}, "fp32 on the CPU")],
)
def test_where_no_graph_can_be_torch_answers_or_it_is_refused(
    network: Path, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    assert chosen(network, tmp_path, **options).path == network
    with pytest.raises(Refused, match=said):
        chosen(network, tmp_path, "onnx", **options)


def test_words_and_bundles_without_golden_examples_are_left_as_they_are(tmp_path: Path) -> None:
    plain = write_plain_bundle(tmp_path / "plain")
    assert chosen(plain, tmp_path / "graphs").path == plain
    with pytest.raises(Refused, match="no single encoder"):
        chosen(plain, tmp_path / "graphs", "onnx")
    alone = write_network_bundle(tmp_path / "alone", batches=False)
    with pytest.raises(Refused, match="one row at a time"):
        chosen(alone, tmp_path / "graphs", "onnx")


def test_a_trial_that_fails_costs_nothing_but_itself(
    network: Path, tmp_path: Path, making: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    making({"refused": "No ONNX graph gives what torch gives."})
    assert chosen(network, tmp_path / "one").path == network
    with pytest.raises(Refused, match="gives what torch gives"):
        chosen(network, tmp_path / "one", "onnx")

    def failing(source: Path, place: Path, threads: Any) -> None:
        raise EnvironmentFault("it took more than 240 s")

    monkeypatch.setattr(graphs, "_make", failing)
    assert chosen(network, tmp_path / "two").path == network
    assert "torch answers: it took more than 240 s" in caplog.text
    with pytest.raises(EnvironmentFault, match="No graph could be made"):
        chosen(network, tmp_path / "two", "onnx")


def test_the_process_says_in_a_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(str(tmp_path / "nothing"), str(tmp_path / "out")) == 1
    assert "There is no bundle at this place" in capsys.readouterr().err
