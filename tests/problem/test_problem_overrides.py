"""`--set a.b=value`: read as YAML, sections made on the way, and told apart from the file in errors."""

import pytest

from provetune.problem.overrides import apply_overrides


def outcome(value, *overrides):
    result = apply_overrides(value, overrides)
    assert result.faults == []
    return result.value


def test_values_are_read_as_yaml():
    assert outcome({}, "a=1", "b=x", "c=[1, y]", "d=1e-5", "e=", "f='1'", "g=no") == {
        "a": 1,
        "b": "x",
        "c": [1, "y"],
        "d": 1e-5,
        "e": None,
        "f": "1",
        "g": "no",
    }


def test_a_value_may_hold_an_equals_sign_and_begin_with_a_comparator():
    assert outcome({}, "accept.macro_f1=>= 0.9", "a=x=y") == {"accept": {"macro_f1": ">= 0.9"}, "a": "x=y"}


@pytest.mark.parametrize("sign", ["|", ",", ";", ":", "\t", "||", "-", "#", "&"])
def test_separators_are_text_as_they_are_typed(sign):
    assert outcome({}, f"data.label_separator={sign}") == {"data": {"label_separator": sign}}


def test_sections_are_made_and_kept():
    assert outcome({"study": {"keep": "all"}, "data": None}, "study.seeds=1", "data.split.test=0.3") == {
        "study": {"keep": "all", "seeds": 1},
        "data": {"split": {"test": 0.3}},
    }


def test_items_of_a_list_are_numbered_from_0():
    assert outcome({"claims": ["a > b", "c > d"]}, "claims.1=a > d") == {"claims": ["a > b", "a > d"]}


def test_a_part_in_quotes_may_hold_dots_and_equals_signs():
    assert outcome({}, r'accept."recall:a.b @ x=1\""=> 0.5') == {"accept": {'recall:a.b @ x=1"': "> 0.5"}}


def test_the_last_of_two_wins_and_the_original_stays():
    original = {"a": {"b": 1}}

    assert outcome(original, "a.b=2", "a.b=3") == {"a": {"b": 3}}
    assert original == {"a": {"b": 1}}


def test_origins_say_what_was_set():
    result = apply_overrides({"claims": ["x"]}, ["study.seeds=1", "claims.0=y"])

    assert result.origins == {("study", "seeds"): "--set study.seeds", ("claims", 0): "--set claims.0"}


@pytest.mark.parametrize(
    ("override", "where", "says"),
    [
        ("seeds", "--set seeds", "must be KEY=VALUE. Got 'seeds' instead."),
        ("=1", "--set ", "must be KEY=VALUE."),
        ("a..b=1", "--set a..b", "must be KEY=VALUE."),
        ("a.b=1", "--set a.b", "'a' is no section. It is 5."),
        ("l.2=1", "--set l.2", "'l' has no item '2'."),
        ("l.x=1", "--set l.x", "'l' has no item 'x'."),
        ("b=[1", "--set b", "This is not YAML"),
        ("b={x: 1, x: 2}", "--set b", "given twice"),
    ],
)
def test_overrides_that_cannot_be_applied(override, where, says):
    value = {"a": 5, "l": [1, 2]}
    result = apply_overrides(value, [override])

    ((place, fault),) = result.faults
    assert place == where
    assert says in fault.message
    assert result.value == value
