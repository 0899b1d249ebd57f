"""A problem file is read, or everything that is wrong with it is said at once, each with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import ProblemFileError
from provetune.problem.baseline import implied_baseline
from provetune.problem.reading import Fault, dump_resolved, parse_problem
from provetune.problem.syntax import LEFT_OUT_AT_DEFAULT, Candidate, Problem

GOOD = """\
name: support-intents
language: no
data:
  train: messages.csv
  columns: {text: message, label: intent}
  split: {test: 0.25}
accept:
  macro_f1: ">= 0.90"
candidates:
  full: {method: full, learning_rate: 2e-5}
  lora:
    method: lora
    rank: 8
claims:
  - full > words + 0.02
  - lora >= full - 0.01
study: {seeds: 3}
"""


def read(text, **options):
    return parse_problem(text, Path("somewhere/problem.yaml"), **options)


def faults(text, **options):
    with pytest.raises(ProblemFileError) as caught:
        read(text, **options)
    return caught.value.lines()


def test_a_good_file_is_read_with_its_defaults():
    problem = read(GOOD).problem

    assert problem.name == "support-intents"
    assert problem.language == "no"
    assert problem.task == "classification"
    assert problem.data.columns.text == "message"
    assert (problem.data.split.test, problem.data.split.validation) == (0.25, 0.1)
    assert problem.candidates["full"].learning_rate == 2e-5
    assert problem.candidates["lora"].extra == {"rank": 8}
    assert problem.candidates["lora"].epochs == "auto"
    assert problem.study.seeds == 3
    assert problem.accept == {"macro_f1": ">= 0.90"}


def test_places_of_keys():
    file = read(GOOD, overrides=["study.seeds=4"])

    assert file.where("name") == "problem.yaml:1"
    assert file.where("candidates", "lora", "rank") == "problem.yaml:13"
    assert file.where("claims", 1) == "problem.yaml:16"
    assert file.where("data", "columns", "group") == "problem.yaml:5"
    assert file.where("study", "seeds") == "--set study.seeds"
    assert file.where() == "problem.yaml:1"
    assert file.problem.study.seeds == 4


def test_the_name_is_needed():
    assert faults("data: {train: x.csv}\n") == [
        "problem.yaml:1: 'name' is missing. Name of the problem; names the study's folder."
    ]


def test_sections_whose_lines_are_comments_have_their_defaults():
    text = "name: x\ndata:\n  train: x.csv\n  columns:\n  mask:\naccept:\nclaims:\ncandidates:\nstudy:\n"

    assert read(text).problem == Problem.model_validate({"name": "x", "data": {"train": "x.csv"}})


def test_claims_may_name_the_baseline_that_is_always_there():
    text = "name: x\ndata: {train: x.csv}\ncandidates: {words: {method: full}}\nclaims: [words > tfidf]\n"

    assert read(text).problem.claims == ["words > tfidf"]


@pytest.mark.parametrize(
    ("candidates", "name"),
    [
        ({}, "words"),
        ({"full": {"method": "full"}}, "words"),
        ({"words": {"method": "full"}}, "tfidf"),
        ({"words": {"method": "full"}, "tfidf": {"method": "lora"}}, "baseline"),
        ({"words": {}, "tfidf": {}, "baseline": {}}, "baseline_2"),
        ({"mine": {"method": "tfidf"}}, None),
        ({"mine": Candidate(method="tfidf")}, None),
        ({"mine": "tfidf"}, "words"),
    ],
)
def test_the_name_of_the_baseline(candidates, name):
    assert implied_baseline(candidates) == name


def test_checks_of_the_caller_get_sound_sections_and_add_faults():
    seen = []

    def check(content):
        seen.append(json.loads(json.dumps(content)))
        yield Fault(("candidates", "lora", "rank"), "rank is odd.", "Take 8.")
        yield Fault(("candidates", "full"), "said already.")

    text = (
        "name: x\ndata:\ncandidates:\n  full: full\n  lora:\n    method: lora\n    rank: 7\n    seed: null\nclaims: x\n"
    )

    assert faults(text, overrides=["data.train=t.csv"], checks=[check]) == [
        "problem.yaml:4: 'candidates.full' must be a section (keys and values). Got 'full' instead. "
        "Write it as full: {method: full}.",
        "problem.yaml:7: rank is odd. Take 8.",
        "problem.yaml:9: 'claims' must be a list of texts. Got 'x' instead. "
        "Write each item on its own line after '- '.",
    ]
    assert seen == [
        {
            "name": "x",
            "data": {"train": "t.csv"},
            "candidates": {"lora": {"method": "lora", "rank": 7, "seed": None}},
        }
    ]


def test_faults_of_an_override_name_it():
    good = "name: x\ndata: {train: x.csv}\n"

    assert faults(good, overrides=["sdudy.seeds=1"]) == [
        "--set sdudy.seeds: There is no key 'sdudy' at the top level. Did you mean 'study'? "
        "Known: accept, candidates, claims, compress, data, language, name, options, study, task."
    ]
    assert faults(good, overrides=['claims=["a > words"]']) == [
        "--set claims: The claim 'a > words' names 'a', which is no candidate. Known: words."
    ]


def test_an_override_can_mend_the_file():
    assert read("name: x\ndata: {train: 5}\n", overrides=["data.train=x.csv"]).problem.data.train == "x.csv"
    assert read("name: x\ndata: {train: x}\nstudy: {seeds: 1, seeds: 2}\n", overrides=["study.seeds=3"])


def test_a_resolved_problem_spells_out_every_field_and_reads_back():
    problem = read(GOOD).problem
    text = dump_resolved(problem)

    assert read(text).problem == problem
    for name in [*Problem.model_fields, *set(Candidate.model_fields) - set(LEFT_OUT_AT_DEFAULT), "rank"]:
        assert f"{name}:" in text


odd = st.text(min_size=1, max_size=8) | st.sampled_from(["no", "#", ": ", "'", '"', "1e-5", "~", "\n", "标签", "\x85"])


@given(train=odd, text=st.lists(odd, min_size=1, max_size=3), label=odd, seeds=st.integers(1, 100), extra=odd)
def test_resolved_problems_read_back_whatever_the_columns_are_called(train, text, label, seeds, extra):
    problem = Problem.model_validate(
        {
            "name": "x",
            "data": {"train": train, "columns": {"text": text, "label": label}},
            "candidates": {"a": {"method": "full", "learning_rate": 1e-05, "clip": None, "note": extra}},
            "claims": ["a > words"],
            "study": {"seeds": seeds},
        }
    )

    assert read(dump_resolved(problem)).problem == problem


def test_claims_about_candidates_that_an_override_replaced():
    replaced = "candidates={mine: {method: full}}"
    lines = faults(GOOD, overrides=[replaced])

    assert lines == [
        "problem.yaml:15: The claim 'full > words + 0.02' names 'full', which is no candidate. "
        '--set candidates leaves only mine, words. Drop the file\'s claims with --set "claims=[]", or set others.',
        "problem.yaml:16: The claim 'lora >= full - 0.01' names 'lora' and 'full', which are no candidates. "
        '--set candidates leaves only mine, words. Drop the file\'s claims with --set "claims=[]", or set others.',
    ]
    assert read(GOOD, overrides=[replaced, "claims=[]"]).problem.claims == []
    (line,) = faults(GOOD, overrides=[replaced, "claims=[full > mine]"])
    assert line == "--set claims: The claim 'full > mine' names 'full', which is no candidate. Known: mine, words."


def test_the_tolerance_of_smaller_bundles() -> None:
    text = "name: a\ndata: {train: rows.csv}\n"
    usual = read(text).problem
    assert usual.compress.tolerance == 0.01
    said = read(text + "compress: {tolerance: 0.005}\n").problem
    assert said.model_dump()["compress"] == {"tolerance": 0.005}
    assert read(dump_resolved(said)).problem == said
    (told,) = faults(text + "compress: {tolerence: 0.005}\n")
    assert "Did you mean 'tolerance'" in told
