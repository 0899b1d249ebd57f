"""What a model card says of labels, numbers, thresholds and abstention."""

from __future__ import annotations

from provetune.core.protocols import Targets
from provetune.models.bundle.card_labels import answer_limit, label_section


def section(targets: Targets) -> str:
    return label_section(targets.to_json(), str)


def test_labels_and_their_rows():
    found = section(Targets("single_label", ("a", "oos"), (1200, 3), out_of_scope="oos"))
    assert "| a | 1,200 |" in found
    assert found.endswith("`oos` means: none of the others.")


def test_thresholds_are_told_because_the_plain_pipeline_does_not_know_them():
    found = section(Targets("multi_label", ("x", "y"), (5, 6), tuned={"thresholds": [0.25, 0.5]}))
    assert "| label | training rows | given from probability |" in found
    assert "| x | 5 | 0.250 |" in found


def test_an_order_is_told():
    assert "from the lowest to the highest" in section(Targets("ordinal", ("1", "2", "3"), (4, 4, 4)))


def test_numbers_have_their_mean_and_spread():
    found = section(Targets("regression", ("value",), (954,), tuned={"mean": [0.1234], "scale": [0.4]}))
    assert "| value | 954 | 0.1234 | 0.4 |" in found


def test_many_labels_are_cut_and_none_is_nothing():
    many = Targets("multi_label", tuple(f"l{k}" for k in range(70)), (1,) * 70, tuned={"thresholds": [0.5] * 70})
    assert section(many).splitlines()[-1] == "| … and 10 more, in `provetune.json` | | |"
    assert section(Targets("spans", ())) == ""


def test_when_it_does_not_answer():
    line = {"threshold": 0.75, "coverage": 0.9, "risk": 0.05}
    found = answer_limit(Targets("single_label", ("a", "b"), tuned={"abstain": line}).to_json())
    assert found is not None
    assert "under 0.750" in found
    assert "90.0%, 5.0% of them wrongly" in found
    assert "always answers" in str(answer_limit(Targets("single_label", ("a", "b")).to_json()))
    assert answer_limit(Targets("single_label", ("a", "oos"), out_of_scope="oos").to_json()) is None
    assert answer_limit(Targets("regression", ("value",)).to_json()) is None


def test_a_taggers_margin_is_told_where_there_is_one() -> None:
    tuned = Targets("spans", ("person",), (3,), tuned={"outside_margin": 0.75})
    assert "likelier than any by 0.75 in logits" in section(tuned)
    assert "logits" not in section(Targets("spans", ("person",), (3,), tuned={"outside_margin": 0.0}))
