"""Marks lie where arithmetic says, axes name round values, and nothing that is drawn escapes its quotes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.study.report_html.plots.curves import Line, line_plot
from provetune.study.report_html.plots.heat_map import heat_map
from provetune.study.report_html.plots.reliability import reliability_diagram
from provetune.study.report_html.plots.scale import Scale, scale_around, tick_text
from provetune.study.report_html.plots.strips import Dot, Interval, dot_strip, interval_strip
from provetune.study.report_html.plots.svg import element, figure, link

REACH = st.floats(-1e6, 1e6, allow_nan=False)


def test_a_value_lies_at_its_share_of_the_axis() -> None:
    scale = Scale(0.8, 1.0)
    assert [scale.place(value) for value in (0.8, 0.85, 1.0, 0.5, 2.0)] == pytest.approx([0, 0.25, 1, 0, 1])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.81, 0.89, ["0.82", "0.84", "0.86", "0.88"]),
        (-0.06, 0.06, ["−0.05", "−0.025", "0", "0.025", "0.05"]),
        (0, 1000, ["0", "200", "400", "600", "800"]),
        (0.94, 0.9489, ["0.94", "0.942", "0.944", "0.946", "0.948"]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[str]) -> None:
    scale = Scale(low, high)
    assert [tick_text(tick, scale) for tick in scale.ticks()] == ticks


@given(st.lists(REACH, min_size=1, max_size=5))
def test_every_axis_holds_its_values_and_has_ticks_of_their_own(values: list[float]) -> None:
    scale = scale_around(values)
    assert all(scale.holds(value) for value in values)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 5
    assert all(scale.low - 1e-9 * abs(scale.low) <= tick <= scale.high + 1e-9 * abs(scale.high) for tick in ticks)


def test_nothing_to_show_has_an_axis_too() -> None:
    assert scale_around([]) == Scale(0.0, 1.0)
    assert scale_around([float("nan")]) == Scale(0.0, 1.0)


def test_whatever_is_put_into_an_element_is_escaped() -> None:
    drawn = element("text", "</text><script>", x='1" onload="alert(1)', class_="a&b", stroke_width=None)
    assert drawn == ('<text x="1&#34; onload=&#34;alert(1)" class="a&amp;b">&lt;/text&gt;&lt;script&gt;</text>')
    assert link(None, "x") == "<g>x</g>"
    assert figure("a<b", "c").startswith('<svg role="img" aria-label="a&lt;b. c"><title>a&lt;b</title><desc>c</desc>')


def test_an_interval_lies_between_its_ends_and_the_claim_is_marked() -> None:
    shown = Interval(0.5, 0.25, 0.75, (0.6,), "#trials-full", "supported")
    drawn = str(interval_strip("full > words", "said", shown, Scale(0.0, 1.0)))
    assert 'x1="25.00%" x2="75.00%"' in drawn
    assert 'cx="50.00%"' in drawn
    assert re.search(r'x1="60.00%" x2="60.00%"[^>]*class="needed"', drawn)
    band = Interval(0.5, None, None, (0.2, 0.6), "#trials-full", "inconclusive")
    drawn = str(interval_strip("full ~ words", "said", band, Scale(-1.0, 1.0)))
    assert re.search(r'<rect x="60.00%" y="2" width="20.00%"', drawn)
    assert 'class="zero"' in drawn
    assert "stroke-width" not in drawn


def test_equal_dots_are_stacked() -> None:
    dots = [Dot(0.5, f"#trial-x-{k}", f"seed {k}") for k in range(3)]
    drawn = str(dot_strip("x", "said", dots, 0.5, Scale(0.0, 1.0), "c0"))
    assert re.findall(r'cy="([^"]+)"', drawn) == ["15", "11", "19"]
    assert drawn.count('cx="50.00%"') == 3


def test_curves_leave_out_what_is_no_number() -> None:
    line = Line([(0, 1.0), (5, float("nan")), (10, 0.0)], "#trial-x-0", "seed 0")
    drawn = str(line_plot("loss", "said", [line], Scale(0, 10), Scale(0, 1), "c1"))
    assert 'points="0.00,0.00 100.00,100.00"' in drawn


def test_reliability_marks_are_as_large_as_their_rows() -> None:
    bins = [
        {"confidence": 0.25, "accuracy": 0.5, "rows": 25},
        {"confidence": 1.0, "accuracy": 1.0, "rows": 75},
    ]
    drawn = str(reliability_diagram("x", "said", bins, bins[:1], ("sure", "right"), "c0"))
    radii = [float(r) for r in re.findall(r'r="([\d.]+)" fill', drawn)]
    assert radii == pytest.approx([3 + 9 * 0.5, 3 + 9 * 0.75**0.5], abs=0.01)
    assert drawn.count('class="hollow"') == 1


def test_a_heat_map_has_one_path_a_shade() -> None:
    drawn = str(heat_map("x", "said", [[9, 1, 0], [0, 2, 0], [0, 5, 5]], "#trials-x"))
    shades = dict(re.findall(r'<path d="([^"]+)" class="shade ([^"]+)"', drawn))
    assert {name: cells for cells, name in shades.items()} == {
        "right-5": "M0 0h1v1h-1zM1 1h1v1h-1z",
        "wrong-1": "M1 0h1v1h-1z",
        "right-3": "M2 2h1v1h-1z",
        "wrong-3": "M1 2h1v1h-1z",
    }
