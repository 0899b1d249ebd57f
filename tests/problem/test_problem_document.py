"""YAML as the problem file uses it: lines of keys, YAML 1.2's scalars, no key lost, one line for bad syntax."""

import datetime
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provetune.problem.document import SyntaxFault, dump_document, quote, read_document

awkward = [
    *("no", "on", "~", "null", "1", "01", "1e-5", "0x1f", ".5", ".inf", "12:30", "2024-01-01", "#", "a #b", ": "),
    *("a: b", "'", '"', "-", "- a", "[x]", "{a}", "?", "=", "<<", "!a", "&a", "*a", "%a", "@a", "`a", "|", ">", "---"),
    *("...", "\n", "a\nb", "\r\n", "\t", "\x00", "\x85", "\u2028", "\ufeff", "😀", "退款，原因", " a ", "x" * 300),
]
texts = st.text() | st.sampled_from(awkward)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=12,
)


@given(values)
def test_what_is_dumped_reads_back(value):
    document = read_document(dump_document({"a": value}))

    assert document.faults == []
    assert document.value == {"a": value}


@given(values)
def test_what_is_dumped_means_the_same_to_any_yaml_reader(value):
    assert yaml.safe_load(dump_document({"a": value})) == {"a": value}


@given(texts.filter(lambda text: text not in ("b", "c", "d")))
def test_a_quoted_text_is_one_line_and_fits_everywhere(text):
    quoted = quote(text)
    document = read_document(
        f"{quoted}: {quoted}    # note\nb: [{quoted}, {quoted}]\nc: {{x: {quoted}}}\nd:\n- {quoted}\n"
    )

    assert len(quoted.splitlines()) == 1
    assert document.faults == []
    assert document.value == {text: text, "b": [text, text], "c": {"x": text}, "d": [text]}


def test_lines_of_keys_and_items():
    document = read_document("a: 1\n\n# note\nb:\n  c: [x,\n    y]\n  d:\n  - e: 1\n")

    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 4,
        ("b", "c"): 5,
        ("b", "c", 0): 5,
        ("b", "c", 1): 6,
        ("b", "d"): 7,
        ("b", "d", 0): 8,
        ("b", "d", 0, "e"): 8,
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("2e-5", 2e-5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("'12'", "12"),
        ("=", "="),
        ("!!str 12", "12"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written, value):
    read = read_document(f"a: {written}").value["a"]

    assert read == value
    assert type(read) is type(value)


def test_a_date_for_yaml_1_1_is_quoted_when_dumped():
    assert yaml.safe_load(dump_document("2024-01-31")) == "2024-01-31"
    assert yaml.safe_load("2024-01-31") == datetime.date(2024, 1, 31)


def test_a_key_given_twice_is_a_fault_and_the_first_counts():
    document = read_document("study:\n  seeds: 3\n  seeds: 5\n")

    assert document.value == {"study": {"seeds": 3}}
    ((line, fault),) = document.faults
    assert line == 3
    assert fault.message == "'study.seeds' is given twice, first on line 2."


def test_a_key_that_is_no_text_is_a_fault():
    ((line, fault),) = read_document("a: 1\n2: x\n").faults

    assert line == 2
    assert fault.message == "The key 2 must be text."
    assert fault.hint == 'Put quotes around it: "2".'
    assert read_document("? [a]\n: b\n").faults[0][1].message == "A key must be text."


@pytest.mark.parametrize("written", ["!!python/object/apply:os.system [x]", "!secret x", "!!binary aGk=", "1" * 9999])
def test_values_that_a_file_may_not_hold(written):
    document = read_document(f"a: {written}")

    assert document.faults or document.value == {"a": ["x"]}


def test_an_alias_repeats_a_value():
    assert read_document("a: &x {b: 1}\nc: *x\n").value == {"a": {"b": 1}, "c": {"b": 1}}


def test_an_alias_cannot_repeat_itself_or_grow_without_end():
    with pytest.raises(SyntaxFault, match="without end"):
        read_document("a: &x [*x]")
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(SyntaxFault, match="without end"):
        read_document(bomb)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a:\n\tb: 1", 2, "A tab cannot be used for indenting."),
        ("x: 1\na: >= 0.9", 2, "A value that begins with > needs quotes."),
        ("a: b: c", 1, "A ':' is where no key can be."),
        ("x: 1\n---\na: 1\n", 2, "A second document begins here (---)."),
        ("x: 1\na: \x00", 2, "The character U+0000 cannot stand in the file."),
        ("a: *b", 1, "This is not YAML: found undefined alias 'b'."),
        ("a: 'x", 1, "This is not YAML"),
        ("a: [1", 1, "This is not YAML"),
        ("a: @b", 1, "This is not YAML"),
        ("a: " + "[" * 5000, 1, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_one_line(text, line, says):
    with pytest.raises(SyntaxFault) as caught:
        read_document(text)

    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.line == line


def test_an_empty_text_is_nothing():
    assert read_document("# only a comment\n").value is None
