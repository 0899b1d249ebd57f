"""Claims against the candidates: unknown names, the same test twice, a left side that is worse."""

from provetune.problem.claims import check_claims, parse_claim, warn_of_claims
from provetune.problem.faults import Fault

NAMES = ["words", "full", "lora"]


def test_good_claims_have_no_fault():
    assert check_claims(["full > words + 0.02", "lora >= full - 0.01", "lora >= 0.9", "lora ~ 0.9 ± 0.1"], NAMES) == []


def test_a_name_that_is_no_candidate_gets_the_nearest():
    assert check_claims(["lora > wrds"], NAMES) == [
        Fault(
            ("claims", 0),
            "The claim 'lora > wrds' names 'wrds', which is no candidate.",
            "Did you mean 'words'? Known: full, lora, words.",
        )
    ]


def test_both_sides_can_be_wrong_in_one_fault():
    (fault,) = check_claims(["x1 > y2"], NAMES)
    assert fault.message == "The claim 'x1 > y2' names 'x1' and 'y2', which are no candidates."
    assert fault.hint == "Known: full, lora, words."
    (fault,) = check_claims(["lorra > wrds"], NAMES)
    assert fault.hint == "Did you mean 'lora' and 'words'? Known: full, lora, words."


def test_candidates_that_an_override_replaced_are_said_with_the_way_out():
    (fault,) = check_claims(["full > mine", "mine >= 0.5"], ["mine"], replaced_by="--set candidates")
    assert fault.keys == ("claims", 0)
    assert fault.message == "The claim 'full > mine' names 'full', which is no candidate."
    assert fault.hint == (
        '--set candidates leaves only mine. Drop the file\'s claims with --set "claims=[]", or set others.'
    )


def test_an_item_that_is_no_text_needs_quotes():
    faults = check_claims([{"full > words [recall": "x]"}, 5, None], NAMES)

    assert [fault.keys for fault in faults] == [("claims", 0), ("claims", 1), ("claims", 2)]
    assert {fault.hint for fault in faults} == {"Put quotes around this claim."}
    assert faults[1].message == "A claim must be text. Got 5 instead."


def test_the_same_hypothesis_twice_is_refused_and_the_first_named():
    faults = check_claims(["full > words", "lora > words", "words <= full"], NAMES)

    assert faults == [
        Fault(
            ("claims", 2),
            "The claim 'words <= full' tests the same as 'full > words' (claim 1).",
            "Keep one of the two.",
        )
    ]


def test_the_primary_metric_named_and_left_out_are_the_same():
    texts = ["full > words", "full > words [accuracy]"]

    assert check_claims(texts, NAMES) == []
    assert [fault.keys for fault in check_claims(texts, NAMES, "accuracy")] == [("claims", 1)]


def test_grammar_errors_are_faults_of_their_item():
    (fault,) = check_claims(["full > words", "full => words"], NAMES)

    assert fault.keys == ("claims", 1)
    assert "at character 6" in fault.message
    assert fault.hint == "Write >=."


def test_a_left_side_that_is_worse_is_warned_of_with_its_mirror():
    claims = [parse_claim(text) for text in ["full > words", "words < full - 0.02", "lora <= full + 0.01 [ece]"]]

    assert warn_of_claims(claims, {"ece"}) == [
        Fault(
            ("claims", 1),
            "The claim 'words < full - 0.02' says that its left side is worse.",
            "If that is meant, 'full > words + 0.02' says the same straight.",
        )
    ]
    assert [fault.keys for fault in warn_of_claims(claims)] == [("claims", 1), ("claims", 2)]


def test_more_of_a_metric_that_should_fall_is_worse():
    (warning,) = warn_of_claims([parse_claim("full > words [ece]")], {"ece"})

    assert warning.hint == "If that is meant, 'words < full [ece]' says the same straight."


def test_a_level_that_is_not_reached_is_warned_of():
    (warning,) = warn_of_claims([parse_claim("full < 0.9")])

    assert warning.hint == "Is 'full > 0.9' meant?"


def test_an_equality_says_of_neither_side_that_it_is_worse():
    assert warn_of_claims([parse_claim("full ~ words ± 0.1")]) == []
