"""Errors: one line each, and an exit code that says whether the work or the use was wrong."""

import pytest

from provetune.core.errors import (
    CorruptError,
    DataError,
    EnvironmentFault,
    Interrupted,
    ProblemFileError,
    ProvetuneError,
    Refused,
    UsageError,
)


def test_an_error_says_where_what_and_what_to_do():
    error = DataError("The label is empty.", where="messages.csv, row 17", hint="Fill it in.")

    assert str(error) == "messages.csv, row 17: The label is empty. Fill it in."
    assert error.lines() == ["messages.csv, row 17: The label is empty. Fill it in."]


def test_an_error_without_place_or_hint_is_its_message():
    assert str(UsageError("There is no task 'x'.")) == "There is no task 'x'."


def test_a_line_break_in_a_value_does_not_break_the_line():
    assert str(UsageError("Got 'a\nb' instead.")) == "Got 'a b' instead."


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ProvetuneError, 2),
        (UsageError, 2),
        (DataError, 2),
        (EnvironmentFault, 2),
        (CorruptError, 2),
        (Refused, 1),
        (Interrupted, 130),
    ],
)
def test_exit_codes(kind, code):
    assert kind("x").exit_code == code


def test_a_problem_file_error_holds_every_fault_on_its_own_line():
    faults = [UsageError("one.", where="p.yaml:1"), UsageError("two.", where="p.yaml:2")]
    error = ProblemFileError(faults)

    assert error.lines() == ["p.yaml:1: one.", "p.yaml:2: two."]
    assert str(error) == "p.yaml:1: one.; p.yaml:2: two."
    assert error.faults == faults
    assert error.exit_code == 2


def test_a_problem_file_error_needs_a_fault():
    with pytest.raises(ValueError, match="at least one"):
        ProblemFileError([])
