"""What is wrong in a problem file: every fault at once, each with its line and what to write instead."""

from pathlib import Path

import pytest

from provetune.core.errors import ProblemFileError
from provetune.problem.reading import parse_problem


def faults(text, **options):
    with pytest.raises(ProblemFileError) as caught:
        parse_problem(text, Path("somewhere/problem.yaml"), **options)
    return caught.value.lines()


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
        "Known: folds, group, seed, stratify, test, time, validation.",
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
            "Known: accept, candidates, claims, compress, data, language, name, options, study, task.",
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
            "Known: accept, candidates, claims, compress, data, language, name, options, study, task.",
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
