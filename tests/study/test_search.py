"""Search: what is drawn, what is given up, what is found; the test rows stay sealed meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from provetune.core.errors import ProvetuneError
from provetune.core.files import read_json
from provetune.models.methods import METHODS
from provetune.problem.reading import read_problem
from provetune.problem.syntax import Candidate, SearchRange
from provetune.study.resolve import resolve
from provetune.study.run import Study, run
from provetune.study.search import trial as trial_module
from provetune.study.search.history import Ended, ask, importances, quiet, study_of
from provetune.study.search.rounds import FOUND, ROUND
from provetune.study.search.space import chosen, distributions, ranges_of, storable
from provetune.study.trial_spec import TrialSpec

WriteProblem = Callable[..., Path]

SPACE = distributions({"rate": SearchRange(low=1e-5, high=1e-1, log=True), "rows": [8, 16, 32]})


def ended(number: int, rate: float, scores: tuple[float, ...], **rest: Any) -> Ended:
    return Ended(number, {"rate": rate, "rows": 8}, scores, max(scores), **rest)


def test_ranges_become_what_optuna_draws_from() -> None:
    found = distributions(
        {
            "rate": SearchRange(low=1e-5, high=1e-3, log=True),
            "rank": SearchRange(low=1, high=64, log=True),
            "warmup": SearchRange(low=0, high=0.3),
            "rows": [16, 32],
        }
    )
    assert found["rate"] == optuna.distributions.FloatDistribution(1e-5, 1e-3, log=True)
    assert found["rank"] == optuna.distributions.IntDistribution(1, 64, log=True)
    assert found["warmup"] == optuna.distributions.FloatDistribution(0, 0.3)
    assert found["rows"] == optuna.distributions.CategoricalDistribution([16, 32])


def test_choices_may_be_lists() -> None:
    ranges: dict[str, Any] = {"words": [[1, 1], [1, 2], None]}
    (drawn,) = ask([], distributions(ranges), 1, seed=0)
    assert chosen(drawn, ranges)["words"] in ranges["words"]
    assert [chosen({"words": storable(each)}, ranges)["words"] for each in ranges["words"]] == ranges["words"]


def test_equal_histories_are_asked_alike_and_others_are_not() -> None:
    history = [ended(number, 10 ** -(1 + number / 3), (0.1 * number,)) for number in range(10)]
    first = ask(history, SPACE, ROUND, seed=7)
    assert first == ask(history, SPACE, ROUND, seed=7)
    assert first != ask(history, SPACE, ROUND, seed=8)
    assert first != ask(history[:5], SPACE, ROUND, seed=7)
    assert len({one["rate"] for one in first}) == ROUND
    assert all(1e-5 <= one["rate"] <= 1e-1 and one["rows"] in (8, 16, 32) for one in first)


def test_what_did_well_is_drawn_more_often() -> None:
    """Score is best at 1e-3; after 30 trials most draws are within a power of ten of it, where a quarter would be."""
    import math

    rates = [10 ** -(1 + 4 * number / 29) for number in range(30)]
    history = [ended(k, rate, (-abs(math.log10(rate) + 3),)) for k, rate in enumerate(rates)]
    drawn = [one["rate"] for seed in range(10) for one in ask(history, SPACE, ROUND, seed)]
    near = sum(1e-4 <= rate <= 1e-2 for rate in drawn) / len(drawn)
    assert near > 0.75


def test_pruning_decides_as_optuna_does_when_it_is_asked_one_after_the_other() -> None:
    curves = [(0.5, 0.6, 0.7), (0.1, 0.2, 0.3), (0.52, 0.5, 0.9), (0.45, 0.8, 0.8), (0.6, 0.7, 0.95), (0.2, 0.9, 0.9)]
    with quiet():
        whole = study_of([], SPACE, pruning="asha")
        wanted = []
        for scores in curves:
            trial = whole.ask(dict(SPACE))
            given_up = 0
            for step, score in enumerate(scores, start=1):
                trial.report(score, step)
                if trial.should_prune():
                    given_up = step
                    break
            state = optuna.trial.TrialState.PRUNED if given_up else optuna.trial.TrialState.COMPLETE
            whole.tell(trial, None if given_up else scores[-1], state=state)
            wanted.append(given_up)
    assert any(wanted), "the curves must be such that something is given up"
    assert not all(wanted)
    history: list[Ended] = []
    for number, scores in enumerate(curves):
        with quiet():
            study = study_of(history, SPACE, pruning="asha")
            trial = study.ask(dict(SPACE))
            seen: list[float] = []
            pruned = False
            for step, score in enumerate(scores, start=1):
                seen.append(score)
                trial.report(score, step)
                if trial.should_prune():
                    pruned = True
                    break
            rungs = {k: v for k, v in study.trials[number].system_attrs.items() if k.startswith("completed_rung")}
        assert (len(seen) if pruned else 0) == wanted[number]
        history.append(Ended(number, trial.params, tuple(seen), max(seen), pruned, rungs))


def test_what_mattered_is_what_made_the_difference() -> None:
    history = [
        Ended(k, {"rate": 10 ** -(1 + k % 5), "rows": (8, 16, 32)[k % 3]}, (v := float(k % 5),), v) for k in range(30)
    ]
    found = importances(history, SPACE)
    assert found["rate"] > found["rows"]
    assert importances(history[:2], SPACE) == {}
    assert importances([Ended(k, {"rate": 0.1, "rows": 8}, (1.0,), 1.0) for k in range(9)], SPACE) == {}


def test_a_range_is_refused_that_holds_nothing() -> None:
    with pytest.raises(ValueError, match="low under high"):
        SearchRange(low=2, high=1)
    with pytest.raises(ValueError, match="above 0 where log"):
        SearchRange(low=0, high=1, log=True)
    assert Candidate(method="full").model_dump().get("search", "left out") == "left out"


SEARCHED: dict[str, Any] = {
    "words": {"method": "tfidf", "search": {"C": {"low": 0.01, "high": 100.0, "log": True}}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> tuple[Path, Study, list[Any]]:
    folder = tmp_path_factory.mktemp("searched")
    problem = write_problem(folder, candidates=SEARCHED, study={"seeds": 2, "search": {"trials": 6}})
    events: list[dict[str, Any]] = []
    return problem, run(problem, listener=events.append), events


def searches(problem: Path) -> list[Path]:
    return sorted((problem.parent / ".provetune" / "searches").iterdir())


def settled(study: Study) -> dict[str, Any]:
    problem: dict[str, Any] = yaml.safe_load((study.folder / "problem.yaml").read_text())
    return dict(problem["candidates"])


def test_the_study_tests_what_the_search_found(finished: tuple[Path, Study, list[Any]]) -> None:
    problem, study, events = finished
    (folder,) = searches(problem)
    found = read_json(folder / FOUND)
    assert len(found["trials"]) == 6
    values = [one["value"] for one in found["trials"]]
    assert found["value"] == max(values)
    assert found["settings"] == found["trials"][values.index(max(values))]["settings"]
    assert settled(study)["words"]["C"] == found["settings"]["C"]
    assert [event["phase"] for event in events if event["event"] == "phase"][:2] == ["resolve", "search"]
    assert any("Search of 'words': C" in event.get("message", "") for event in events)


def test_a_search_never_sees_test_rows(finished: tuple[Path, Study, list[Any]]) -> None:
    import pyarrow as pa

    (folder,) = searches(finished[0])
    with pa.memory_map(str(folder / "splits" / "test.arrow")) as stream:
        assert pa.ipc.open_file(stream).read_all().num_rows == 0


def test_done_once_it_is_not_done_again(finished: tuple[Path, Study, list[Any]]) -> None:
    problem, study, _ = finished
    events: list[dict[str, Any]] = []
    assert run(problem, listener=events.append).id == study.id
    assert not [event for event in events if event["event"] == "job"]


def test_cut_off_anywhere_it_finds_the_same(finished: tuple[Path, Study, list[Any]], tmp_path: Path) -> None:
    problem, study, _ = finished
    (folder,) = searches(problem)
    before = read_json(folder / FOUND)
    (folder / FOUND).unlink()
    for number in (1, 5):  # one of the first round, one of the second
        shutil.rmtree(folder / f"trial-{number:04d}")
    (folder / "round-001.json").unlink()
    assert run(problem).id == study.id
    after = read_json(folder / FOUND)
    for document in (before, after):
        document.pop("seconds")
        for one in document["trials"]:
            one.pop("seconds")
    assert after == before


def job_spec(folder: Path, earlier: list[Ended]) -> dict[str, Any]:
    trial = TrialSpec("", str(folder), "", "classification", "full", 0, 1, {"method": "full"}, {}, {}, None)
    return {
        "trial": trial.to_json(),
        "threads": 1,
        "number": len(earlier),
        "settings": {"rate": 0.01, "rows": 8},
        "earlier": [asdict(one) for one in earlier],
        "ranges": {"rate": {"low": 1e-5, "high": 1e-1, "log": True}, "rows": [8, 16, 32]},
        "pruning": "asha",
    }


def scripted(scores: list[float], closed: list[bool]) -> Callable[[TrialSpec], Any]:
    """Training that says these scores, and notes whether it was cut short."""

    def learn(spec: TrialSpec) -> Any:
        try:
            for step, score in enumerate(scores, start=1):
                yield {"event": "evaluated", "step": step * 10, "scores": {"accuracy": score}}
            yield {"event": "finished", "step": 10 * len(scores), "seconds": 4.5}
            raise AssertionError("what comes after training is none of a search's business")
        except GeneratorExit:
            closed.append(True)
            raise

    return learn


def ended_well(best: float, number: int) -> Ended:
    curve = (best - 0.2, best - 0.1, best)
    return Ended(
        number,
        {"rate": 0.001, "rows": 8},
        curve,
        best,
        False,
        {"completed_rung_0": curve[0], "completed_rung_1": curve[2]},
    )


@pytest.mark.parametrize(("scores", "looks"), [([0.1, 0.9, 0.9], 1), ([0.7, 0.8, 0.5], 3), ([0.75, 0.8, 0.95], 0)])
def test_a_trial_that_falls_behind_is_given_up_at_a_rung(
    scores: list[float], looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three that reach a rung one goes on: the first look is one, the third the next."""
    closed: list[bool] = []
    monkeypatch.setattr(trial_module, "learn", scripted(scores, closed))
    spec = job_spec(tmp_path / "trial", [ended_well(0.9, 0), ended_well(0.8, 1)])
    work = trial_module.search_job(spec)
    result = None
    while result is None:
        try:
            next(work)
        except StopIteration as end:
            result = end.value
    assert result["pruned"] is bool(looks)
    assert result["scores"] == tuple(scores[: looks or 3])
    assert result["value"] == max(scores[: looks or 3])
    assert closed == [True]
    again = trial_module.search_job(spec)
    with pytest.raises(StopIteration) as stopped:
        next(again)
    assert stopped.value.value["scores"] == list(result["scores"])


def test_trials_of_a_network_leave_nothing_but_their_scores(tmp_path: Path, write_problem: WriteProblem) -> None:
    full = {
        "method": "full",
        "epochs": 1,
        "precision": "fp32",
        "search": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch_rows": [8, 16]},
    }
    problem = write_problem(tmp_path, candidates={"full": full}, study={"seeds": 1, "search": {"trials": 4}})
    study = run(problem)
    (folder,) = searches(problem)
    found = read_json(folder / FOUND)
    assert settled(study)["full"]["batch_rows"] == found["settings"]["batch_rows"]
    assert settled(study)["full"]["learning_rate"] == pytest.approx(found["settings"]["learning_rate"])
    assert all(len(one["scores"]) == 3 and one["seconds"] > 0 for one in found["trials"])
    assert not [*folder.rglob("bundle"), *folder.rglob("checkpoint")]
    assert (folder / "what_mattered.png").read_bytes()[:4] == b"\x89PNG"


def test_minutes_end_a_search_between_rounds(tmp_path: Path, write_problem: WriteProblem) -> None:
    study = {"seeds": 1, "search": {"trials": 40, "minutes": 1e-6}}
    problem = write_problem(tmp_path, candidates=SEARCHED, study=study)
    run(problem)
    assert len(read_json(searches(problem)[0] / FOUND)["trials"]) == ROUND


def test_auto_searches_what_suits_the_method(tmp_path: Path, write_problem: WriteProblem) -> None:
    resolved = resolve(
        read_problem(
            write_problem(
                tmp_path,
                candidates={
                    "full": {"method": "full", "search": "auto", "batch_rows": 8, "precision": "fp32"},
                    "head": {"method": "head", "search": "auto", "precision": "fp32"},
                },
            )
        )
    )
    for name, wanted in (("full", {"learning_rate"}), ("head", {"C"})):
        method = METHODS.get(name)
        written = read_problem(tmp_path / "problem.yaml").problem.candidates[name]
        found = ranges_of(written, resolved.problem.candidates[name], method)
        assert set(found) == wanted, "what the file says is no matter of a search"
    rate = resolved.problem.candidates["full"].learning_rate
    assert isinstance(rate, float)
    found = ranges_of(
        read_problem(tmp_path / "problem.yaml").problem.candidates["full"],
        resolved.problem.candidates["full"],
        METHODS.get("full"),
    )
    assert isinstance(found["learning_rate"], SearchRange)
    assert found["learning_rate"].low < rate < found["learning_rate"].high


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"C": [1.0, -1.0]}, r"search of 'C' holds -1.0"),
        ({"colour": [1, 2]}, "no field 'colour' to search"),
        ({"C": {"low": 5, "high": 1}}, "low under high"),
    ],
)
def test_bad_ranges_are_refused_before_any_work(
    search: dict[str, Any], message: str, tmp_path: Path, write_problem: WriteProblem
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf", "search": search}})
    with pytest.raises(ProvetuneError, match=message):
        run(problem)
    assert not (tmp_path / ".provetune").exists()
