"""The language of claims: what is read, what one fixed spelling it has, where reading stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.problem.claims import (
    Claim,
    ClaimSyntaxError,
    Level,
    Scope,
    canonical,
    mirrored,
    normalised,
    parse_accept_key,
    parse_claim,
    parse_level,
)

names = st.from_regex(r"[a-zA-Z_中文éβ][a-zA-Z0-9_中文éβ]{0,8}", fullmatch=True)
numbers = st.floats(min_value=0, max_value=1e12, allow_nan=False).map(abs)
signed = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False).map(lambda number: number or 0.0)
scopes = st.builds(
    Scope,
    metric=names,
    value=st.none() | st.text(),
    conditions=st.dictionaries(names, st.text(), max_size=3).map(lambda found: tuple(found.items())),
)


@st.composite
def claims(draw):
    left, right = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    scope = draw(st.none() | scopes)
    comparator = draw(st.sampled_from([">", ">=", "<", "<="]))
    kind = draw(st.sampled_from(["order", "level", "equal"]))
    if kind == "order":
        return Claim("", left, kind, comparator, right=right, margin=draw(signed), scope=scope)
    if kind == "level":
        return Claim("", left, kind, comparator, level=draw(signed), scope=scope)
    margin = draw(numbers.filter(bool))
    if draw(st.booleans()):
        return Claim("", left, kind, "~", right=right, margin=margin, scope=scope)
    return Claim("", left, kind, "~", margin=margin, level=draw(signed), scope=scope)


@given(claims())
def test_the_canonical_spelling_reads_back_as_the_same_claim(claim):
    assert parse_claim(canonical(claim)) == claim


@given(claims())
def test_a_claim_and_its_mirror_test_the_same(claim):
    assert normalised(mirrored(claim)) == normalised(claim)
    assert mirrored(mirrored(claim)) == claim


@given(claims())
def test_normalising_twice_changes_nothing(claim):
    assert normalised(normalised(claim)) == normalised(claim)


@given(scopes)
def test_a_scope_reads_back_from_an_accept_key(scope):
    assert parse_accept_key(str(scope)) == scope


@given(st.sampled_from([">", ">=", "<", "<="]), signed)
def test_a_level_reads_back(comparator, value):
    level = Level(comparator, value)

    assert parse_level(str(level)) == level


@given(st.text(max_size=40))
def test_any_text_is_a_claim_or_an_error_that_points_into_it(text):
    position, claim = 1, None
    try:
        claim = parse_claim(text)
    except ClaimSyntaxError as error:
        position = error.position

    assert 1 <= position <= len(text) + 1
    assert claim is None or parse_claim(canonical(claim)) == claim


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("full > words + 0.02", Claim("", "full", "order", ">", right="words", margin=0.02)),
        ("lora >= full - 0.01", Claim("", "lora", "order", ">=", right="full", margin=-0.01)),
        ("lora<full", Claim("", "lora", "order", "<", right="full")),
        ("lora >= 0.90", Claim("", "lora", "level", ">=", level=0.9)),
        ("lora <= -1.5e-3", Claim("", "lora", "level", "<=", level=-0.0015)),
        ("lora > +2", Claim("", "lora", "level", ">", level=2.0)),
        ("lora ~ full ± 0.01", Claim("", "lora", "equal", "~", right="full", margin=0.01)),
        ("lora ~ 0.9 +- 1E-2", Claim("", "lora", "equal", "~", level=0.9, margin=0.01)),
        ("lora ~ -0.9+-0.01", Claim("", "lora", "equal", "~", level=-0.9, margin=0.01)),
        (
            "  lora  <=full+0.01[ ece ]  ",
            Claim("", "lora", "order", "<=", right="full", margin=0.01, scope=Scope("ece")),
        ),
        (
            "大模型 > 词袋 [recall:退款]",
            Claim("", "大模型", "order", ">", right="词袋", scope=Scope("recall", "退款")),
        ),
        (
            'a > b [recall:"two words]" @ channel=e-mail, year="2024, or so"]',
            Claim(
                "",
                "a",
                "order",
                ">",
                right="b",
                scope=Scope("recall", "two words]", (("channel", "e-mail"), ("year", "2024, or so"))),
            ),
        ),
        ("a > b [f1 @ x=3>4]", Claim("", "a", "order", ">", right="b", scope=Scope("f1", None, (("x", "3>4"),)))),
    ],
)
def test_claims_that_are_read(text, claim):
    read = parse_claim(text)

    assert read == claim
    assert read.text == text


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "must be the name of a candidate. Got the end instead."),
        ("> b", 1, "must be the name of a candidate. Got '>' instead."),
        ("0.9 < b", 1, "must be the name of a candidate. Got '0.9' instead."),
        ("a", 2, "Got the end instead."),
        ("a b", 3, "must be a comparator (> >= < <=) or ~. Got 'b' instead."),
        ("a >", 4, "must be the name of a candidate or a number. Got the end instead."),
        ("a => b", 3, "Got '=>' instead. Write >=."),
        ("a ≥ b", 3, "Write >=."),
        ("a == b", 3, "Equality is 'a ~ b ± 0.01'."),
        ("a > b > c", 7, "Write two claims instead of a chain."),
        ("a > 90%", 7, "Write 0.9 for 90 %."),
        ("a > b + 2 %", 11, "Write 0.02 for 2 %."),
        ("my-model > b", 3, "A name has letters, digits and '_', no hyphen."),
        ("a > .5", 5, "Write 0.5 rather than .5."),
        ("a > 1.", 6, "must end here"),
        ("a > 1e999", 5, "1e999 is too large."),
        ("a > b + 0.02abc", 9, "must be a number. Got '0.02abc' instead."),
        ("a > b + c", 9, "must be a number. Got 'c' instead."),
        ("a > b +", 8, "must be a number. Got the end instead."),
        ("a > a", 5, "'a' is compared with itself."),
        ("a ~ b", 6, "must be '±' or '+-'. Got the end instead."),
        ("a ~ b + 0.1", 7, "must be '±' or '+-'. Got '+' instead."),
        ("a ~ b ± 0", 9, "the margin of an equality must be above 0."),
        ("a > b [", 8, "must be the name of a metric. Got the end instead."),
        ("a > b []", 8, "must be the name of a metric. Got ']' instead."),
        ("a > b [f1", 10, "must be ']'. Got the end instead."),
        ("a > b [f1:]", 11, "must be a label. Got ']' instead."),
        ('a > b [f1:"x]', 11, "not complete JSON"),
        ("a > b [f1 @ x]", 14, "must be '='. Got ']' instead."),
        ("a > b [f1 @ x=1, x=2]", 18, "the column 'x' is named twice."),
        ("a > b [f1] c", 12, "the claim must end here"),
    ],
)
def test_errors_point_at_the_place(text, position, says):
    with pytest.raises(ClaimSyntaxError) as caught:
        parse_claim(text)

    assert caught.value.position == position
    assert says in str(caught.value)
    assert f"at character {position}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("full>words+0.020", "full > words + 0.02"),
        ("full > words - 0", "full > words"),
        ("lora ~ full +- 1.0", "lora ~ full ± 1"),
        ("a>b[recall:x@c=1,d=2]", "a > b [recall:x @ c=1, d=2]"),
        ('a > b [recall:"x"]', "a > b [recall:x]"),
        ('a > b [recall:"\\u9000款 y"]', 'a > b [recall:"退款 y"]'),
    ],
)
def test_the_canonical_spelling(text, spelling):
    assert canonical(parse_claim(text)) == spelling


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > b", "a >= b"),
        ("a > b", "b < a"),
        ("a > b + 0.02", "b <= a - 0.02"),
        ("a ~ b ± 0.01", "b ~ a ± 0.01"),
        ("a > b [f1 @ x=1, y=2]", "a > b [f1 @ y=2, x=1]"),
        ("a > b [accuracy]", "a > b"),
    ],
)
def test_claims_that_test_the_same(one, other):
    assert normalised(parse_claim(one), "accuracy") == normalised(parse_claim(other), "accuracy")


@pytest.mark.parametrize(
    ("one", "other"),
    [("a > b", "b > a"), ("a > b + 0.02", "a > b - 0.02"), ("a > 0.5", "a < 0.5"), ("a > b [f1]", "a > b")],
)
def test_claims_that_test_something_else(one, other):
    assert normalised(parse_claim(one), "accuracy") != normalised(parse_claim(other), "accuracy")


def test_a_claim_knows_its_candidates():
    assert parse_claim("a > b").candidates == ("a", "b")
    assert parse_claim("a > 0.5").candidates == ("a",)


@pytest.mark.parametrize(
    ("text", "level"), [(">= 0.90", Level(">=", 0.9)), ("<30", Level("<", 30.0)), ("> -0.5", Level(">", -0.5))]
)
def test_levels_that_are_read(text, level):
    assert parse_level(text) == level


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.9", "must be one of > >= < <=. Got '0.9' instead."),
        (">= 90 %", "Write 0.9 for 90 %."),
        (">= 0.9 <= 1", "must end here"),
        ("~ 0.9", "must be one of > >= < <=. Got '~' instead."),
        ("", "Got the end instead."),
    ],
)
def test_levels_that_are_refused(text, says):
    with pytest.raises(ClaimSyntaxError) as caught:
        parse_level(text)

    assert says in str(caught.value)


def test_accept_keys():
    assert parse_accept_key("macro_f1") == Scope("macro_f1")
    assert parse_accept_key("recall:refund @ channel=mail") == Scope("recall", "refund", (("channel", "mail"),))
    with pytest.raises(ClaimSyntaxError, match="character 6: must end here"):
        parse_accept_key("macro-f1")
