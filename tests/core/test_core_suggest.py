"""Unknown names: the nearest known one is suggested, and nothing where nothing is near."""

from hypothesis import given
from hypothesis import strategies as st

from provetune.core.suggest import advice, nearest

METHODS = ["full", "head", "lora", "tfidf"]


def test_the_nearest_name_is_found_whatever_its_case():
    assert nearest("tfdif", METHODS) == "tfidf"
    assert nearest("LORA", METHODS) == "lora"
    assert nearest("seed", ["Seeds", "keep"]) == "Seeds"


def test_a_beginning_is_enough_where_only_one_name_begins_so():
    assert nearest("cl", ["classification", "pair"]) == "classification"
    assert nearest("c", ["chat", "classification"]) is None


def test_nothing_is_suggested_where_nothing_is_near():
    assert nearest("zzz", METHODS) is None
    assert nearest("", METHODS) is None
    assert nearest("x", []) is None


def test_advice_names_the_guess_and_what_exists():
    assert advice("tfdif", METHODS) == "Did you mean 'tfidf'? Known: full, head, lora, tfidf."
    assert advice("zzz", METHODS) == "Known: full, head, lora, tfidf."
    assert advice("x", []) == "There are none."


def test_advice_cuts_a_long_list_and_says_how_long_it_is():
    names = [f"n{number}" for number in range(20)]

    assert advice("zzz", names, limit=3) == "Known: n0, n1, n10, … (20 in all)."


@given(st.text(), st.lists(st.text(min_size=1)))
def test_a_suggestion_is_always_a_known_name(name, known):
    assert nearest(name, known) in [None, *known]


@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_a_known_name_suggests_one_that_differs_in_case_at_most(known, data):
    name = data.draw(st.sampled_from(known))

    assert nearest(name, known).casefold() == name.casefold()
