"""A candidate's own data section: how it is written, what is refused, and what stays as it was without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.errors import ProblemFileError
from provetune.problem.baseline import implied_baseline
from provetune.problem.json_schema import problem_schema
from provetune.problem.reading import dump_resolved, parse_problem
from provetune.problem.reference import field_reference
from provetune.problem.syntax import Candidate, CandidateData

TEXT = """name: support
data: {train: rows.csv}
candidates:
  all: {method: tfidf}
  half:
    method: tfidf
    data: {share: 0.5, deduplicate: true, mask: [email]}
claims: [half >= all - 0.02]
"""


def faults(data: str) -> str:
    with pytest.raises(ProblemFileError) as error:
        parse_problem(TEXT.replace("{share: 0.5, deduplicate: true, mask: [email]}", data), Path("problem.yaml"))
    return str(error.value)


def test_section_is_read_and_written_as_a_person_writes_it() -> None:
    problem = parse_problem(TEXT, Path("problem.yaml")).problem
    assert problem.candidates["all"].data is None
    assert problem.candidates["half"].data == CandidateData(share=0.5, deduplicate=True, mask=["email"])
    assert "data" not in problem.candidates["all"].model_dump()
    written = dump_resolved(problem)
    assert parse_problem(written, Path("problem.yaml")).problem == problem
    assert Candidate.model_validate(problem.candidates["half"].model_dump()) == problem.candidates["half"]


def test_a_section_with_nothing_in_it_is_none() -> None:
    text = TEXT.replace("    data: {share: 0.5, deduplicate: true, mask: [email]}", "    data:")
    assert parse_problem(text, Path("problem.yaml")).problem.candidates["half"].data is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{dedupe: true}", "There is no key 'dedupe' in 'candidates.half.data'. Did you mean 'deduplicate'?"),
        ("{split: 0.5}", "There is no key 'split' in 'candidates.half.data'. It belongs under data."),
        ("{share: 0}", "'candidates.half.data.share' must be a number above 0 and of at most 1. Got 0 instead."),
        ("{share: 50}", "must be a number above 0 and of at most 1. Got 50 instead."),
        ("{mask: [mail]}", "'candidates.half.data.mask[0]' must be one of email, phone, id_number, bank_card"),
        ("half", "'candidates.half.data' must be a section (keys and values). Got 'half' instead."),
    ],
)
def test_faults_say_what_is_wrong_and_where(data: str, said: str) -> None:
    message = faults(data)
    assert said in message
    assert "problem.yaml" in message


def test_fields_stand_in_the_reference_and_in_the_schema() -> None:
    entries = {entry.path: entry for entry in field_reference({})}
    assert entries["candidates.NAME.data"].type == "a section"
    assert entries["candidates.NAME.data.share"].default == "1.0"
    own = problem_schema({})["$defs"]["CandidateData"]["properties"]
    assert set(own) == {"share", "subset", "deduplicate", "mask", "corrections"}


def test_a_tfidf_on_other_rows_is_no_baseline() -> None:
    half = Candidate.model_validate({"method": "tfidf", "data": {"share": 0.5}})
    assert implied_baseline({"half": half}) == "words"
    assert implied_baseline({"half": half, "all": Candidate(method="tfidf")}) is None
    assert implied_baseline({"half": {"method": "tfidf", "data": {"share": 0.5}}}) == "words"
    assert implied_baseline({"all": {"method": "tfidf", "data": None}}) is None
