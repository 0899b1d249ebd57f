"""A problem file is read, or everything that is wrong with it is said at once, each with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.errors import ProblemFileError, UsageError
from provetune.problem.baseline import implied_baseline
from provetune.problem.document import dump_document
from provetune.problem.reading import Fault, dump_resolved, parse_problem, read_problem
from provetune.problem.syntax import Candidate, Problem

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


def test_every_fault_is_said_at_once_in_the_order_of_lines():
    text = """\
name: a/b
seeds: 3
data:
  train: x.csv
  split: {tset: 0.6}
  mask: [email, telefon]
accept:
  macro_f1: 0.9
candidates:
  full: full
  lora: {method: lora, precision: bf61}
  my-model: {backbone: auto}
claims:
  - lora > wrds
  - lora > full [recall: x]
  - lora => full
study:
  seeds: "5"
  seeds: 3
"""
    lines = faults(text, overrides=["study.confidence=2", "nowhere"])

    assert lines == [
        "problem.yaml:1: 'name' must do as a folder's name: no / \\ : * ? \" < > |, no dot or space at either end. "
        "Got 'a/b' instead.",
        "problem.yaml:2: There is no key 'seeds' at the top level. It belongs under study.",
        "problem.yaml:5: There is no key 'tset' in 'data.split'. Did you mean 'test'? "
        "Known: group, seed, stratify, test, time, validation.",
        "problem.yaml:6: 'data.mask[1]' must be one of email, phone, id_number, bank_card. Got 'telefon' instead.",
        "problem.yaml:8: The level of 'macro_f1' must be a comparison in quotes. Got 0.9 instead. "
        "Write it as '>= 0.90', quotes included.",
        "problem.yaml:10: 'candidates.full' must be a section (keys and values). Got 'full' instead. "
        "Write it as full: {method: full}.",
        "problem.yaml:11: 'candidates.lora.precision' must be one of auto, fp32, bf16. Got 'bf61' instead. "
        "Did you mean 'bf16'?",
        "problem.yaml:12: 'candidates.my-model' must be letters, digits and '_', so that claims can name it. "
        "Got 'my-model' instead.",
        "problem.yaml:12: 'candidates.my-model.method' is missing. "
        "How the backbone is adapted; `provetune methods` lists them.",
        "problem.yaml:14: The claim 'lora > wrds' names 'wrds', which is no candidate. "
        "Did you mean 'words'? Known: full, lora, my-model, words.",
        "problem.yaml:15: A claim must be text. Got a section instead. Put quotes around this claim.",
        "problem.yaml:16: In the claim 'lora => full', at character 6: must be a comparator (> >= < <=) or ~. "
        "Got '=>' instead. Write >=.",
        "problem.yaml:18: 'study.seeds' must be a whole number from 1 to 100. Got '5' instead.",
        "problem.yaml:19: 'study.seeds' is given twice, first on line 18. Keep one of the two.",
        "--set study.confidence: 'study.confidence' must be a number between 0.5 and 1. Got 2 instead.",
        "--set nowhere: must be KEY=VALUE. Got 'nowhere' instead. Write it as study.seeds=1.",
    ]


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        ("sed: 1", "problem.yaml:4: There is no key 'sed' at the top level. Did you mean 'data.split.seed'?"),
        ("seed: 1", "problem.yaml:4: There is no key 'seed' at the top level. It belongs under data.split."),
        ("study: {claims: []}", "problem.yaml:4: There is no key 'claims' in 'study'. It belongs at the top level."),
        (
            "study: {epochs: 3}",
            "problem.yaml:4: There is no key 'epochs' in 'study'. It belongs under candidates.NAME.",
        ),
        (
            "taks: x",
            "problem.yaml:4: There is no key 'taks' at the top level. Did you mean 'task'? "
            "Known: accept, candidates, claims, data, language, name, options, study, task.",
        ),
        ("task: 5", "problem.yaml:4: 'task' must be text. Got 5 instead. Put quotes around it."),
        (
            "study: 5",
            "problem.yaml:4: 'study' must be a section (keys and values). Got 5 instead. "
            "Write its keys on the lines below, indented.",
        ),
        (
            "claims: a > b",
            "problem.yaml:4: 'claims' must be a list of texts. Got 'a > b' instead. "
            "Write each item on its own line after '- '.",
        ),
        (
            "candidates: [full]",
            "problem.yaml:4: 'candidates' must be a section of names, each with a section. "
            "Got a list instead. Write its keys on the lines below, indented.",
        ),
        (
            "candidates:\n  a:",
            "problem.yaml:5: 'candidates.a' must be a section (keys and values). "
            "Got nothing instead. Write it as a: {method: full}.",
        ),
        (
            "study: {seeds: true}",
            "problem.yaml:4: 'study.seeds' must be a whole number from 1 to 100. Got true instead.",
        ),
        ("study: {seeds: 0}", "problem.yaml:4: 'study.seeds' must be a whole number from 1 to 100. Got 0 instead."),
        ("study: {seeds: 2.5}", "problem.yaml:4: 'study.seeds' must be a whole number from 1 to 100. Got 2.5 instead."),
        (
            "candidates: {a: {method: full, epochs: .inf}}",
            "problem.yaml:4: 'candidates.a.epochs' must be a number above 0, or auto. Got inf instead.",
        ),
        (
            "candidates: {a: {method: full, epochs: -1}}",
            "problem.yaml:4: 'candidates.a.epochs' must be a number above 0, or auto. Got -1 instead.",
        ),
        (
            "candidates: {a: {method: full, objective: []}}",
            "problem.yaml:4: 'candidates.a.objective' must be text, or a list of texts. Got a list instead.",
        ),
        (
            "study: {parallel: atuo}",
            "problem.yaml:4: 'study.parallel' must be a whole number of at least 1, or auto. "
            "Got 'atuo' instead. Did you mean 'auto'?",
        ),
        (
            "accept: {macro-f1: '> 0.9'}",
            "problem.yaml:4: In the accept key 'macro-f1', at character 6: "
            "must end here. Got '-' instead. Write metric, metric:label or @ col=val.",
        ),
        (
            "accept: {f1: '> 0.9', 'f1 ': '> 0.8'}",
            "problem.yaml:4: 'f1 ' asks for the same as 'f1'. Keep one of the two.",
        ),
        (
            "accept:\n  f1: '= 0.9'",
            "problem.yaml:5: In the level '= 0.9', at character 1: must be one of > >= < <=. Got '=' instead.",
        ),
        (
            "1: x",
            "problem.yaml:4: There is no key '1' at the top level. "
            "Known: accept, candidates, claims, data, language, name, options, study, task.",
        ),
    ],
)
def test_one_fault(addition, line):
    assert faults(f"name: x\ndata:\n  train: x.csv\n{addition}")[-1] == line


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            "{train: x, split: {test: 0.6, validation: 0.5}}",
            "problem.yaml:2: 'data.split' must leave rows for training: test + validation under 1. Got 1.1 instead.",
        ),
        (
            "{train: x, encoding: utf-99}",
            "problem.yaml:2: 'data.encoding' must be a text encoding such as utf-8, utf-16 "
            "or gb18030. Got 'utf-99' instead.",
        ),
        (
            "{train: x, encoding: base64}",
            "problem.yaml:2: 'data.encoding' must be a text encoding such as utf-8, utf-16 "
            "or gb18030. Got 'base64' instead.",
        ),
        (
            "{train: x, columns: {text: [a, 1]}}",
            "problem.yaml:2: 'data.columns.text[1]' must be text. Got 1 instead. Put quotes around it.",
        ),
        (
            "{train: x, columns: {label: {a: 1}}}",
            "problem.yaml:2: 'data.columns.label' must be text, a list of texts, or null. Got a section instead.",
        ),
        (
            "{train: x, delimiter: '||'}",
            "problem.yaml:2: 'data.delimiter' must be one character, or null. Got '||' instead.",
        ),
        ("{test: x.csv}", "problem.yaml:2: 'data.train' is missing. Name the file with labelled rows."),
    ],
)
def test_one_fault_of_the_data(data, line):
    assert faults(f"name: x\ndata: {data}\n") == [line]


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
        "Known: accept, candidates, claims, data, language, name, options, study, task."
    ]
    assert faults(good, overrides=['claims=["a > words"]']) == [
        "--set claims: The claim 'a > words' names 'a', which is no candidate. Known: words."
    ]


def test_an_override_can_mend_the_file():
    assert read("name: x\ndata: {train: 5}\n", overrides=["data.train=x.csv"]).problem.data.train == "x.csv"
    assert read("name: x\ndata: {train: x}\nstudy: {seeds: 1, seeds: 2}\n", overrides=["study.seeds=3"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "problem.yaml:1: The file is empty. `provetune init DATA.csv` drafts one."),
        ("# nothing\n", "problem.yaml:1: The file is empty. `provetune init DATA.csv` drafts one."),
        (
            "- a\n",
            "problem.yaml:1: The file must hold keys and values, such as 'name: my-problem'. "
            "Got a list instead. `provetune init DATA.csv` drafts one.",
        ),
        (
            "name",
            "problem.yaml:1: The file must hold keys and values, such as 'name: my-problem'. "
            "Got 'name' instead. `provetune init DATA.csv` drafts one.",
        ),
        ("name: x\ndata:\n\ttrain: x", "problem.yaml:3: A tab cannot be used for indenting. Use spaces."),
        (
            "name: x\naccept:\n  f1: >= 0.9\n",
            "problem.yaml:3: A value that begins with > needs quotes. Write it as '>= 0.9', quotes included.",
        ),
    ],
)
def test_a_file_that_is_no_problem_is_one_line(text, line):
    assert faults(text) == [line]


@given(st.text())
def test_any_text_is_a_problem_or_one_line_a_fault(text):
    try:
        read(text)
    except ProblemFileError as error:
        lines = error.lines()
    else:
        lines = []

    assert all("\n" not in line for line in lines)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("a > b")
shapes = st.recursive(
    leaves,
    lambda inside: (
        st.lists(inside, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["name", "data", "train", "split", "candidates", "a", "method", "epochs", "claims", "accept"]
            ),
            inside,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from([*Problem.model_fields, "other"]), shapes))
def test_any_content_is_a_problem_or_faults_with_lines_in_order(content):
    lines = []
    try:
        read(dump_document(content or {"a": 1}))
    except ProblemFileError as error:
        lines = [int(line.split(":")[1]) for line in error.lines()]

    assert lines == sorted(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_any_editor_are_read(tmp_path, encoding):
    (tmp_path / "problem.yaml").write_text("name: 评论\r\ndata: {train: x}\r\n", encoding=encoding, newline="")

    assert read_problem(tmp_path / "problem.yaml").problem.name == "评论"


def test_a_file_in_another_encoding_is_said_with_its_line(tmp_path):
    (tmp_path / "problem.yaml").write_bytes("name: x\ntask: 评论\n".encode("gb18030"))
    with pytest.raises(ProblemFileError) as caught:
        read_problem(tmp_path / "problem.yaml")

    assert caught.value.lines() == ["problem.yaml:2: This line is not UTF-8 text. Save the file as UTF-8."]


def test_a_file_that_is_not_there_gets_the_nearest(tmp_path):
    (tmp_path / "problem.yaml").write_text(GOOD)
    with pytest.raises(UsageError, match=r"There is no problem file .*problm\.yaml.*Did you mean '.*problem\.yaml'"):
        read_problem(tmp_path / "problm.yaml")
    with pytest.raises(UsageError, match=r"`provetune init DATA\.csv` drafts one"):
        read_problem(tmp_path / "nowhere" / "x.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        read_problem(tmp_path)


def test_a_path_through_a_file_is_not_there_either(tmp_path):
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UsageError, match="There is no problem file"):
        read_problem(tmp_path / "x.csv" / "problem.yaml")


def test_a_resolved_problem_spells_out_every_field_and_reads_back():
    problem = read(GOOD).problem
    text = dump_resolved(problem)

    assert read(text).problem == problem
    for name in [*Problem.model_fields, *Candidate.model_fields, "rank"]:
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
