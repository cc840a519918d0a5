"""Thresholds and the table: bars, numbers, met and missed."""

import pytest

from benchmarks.results import Figure, Line, Threshold, number, render, text_bar

AT_LEAST = Threshold("rate", "rate", "x", "at least", 0.5)
BELOW = Threshold("time", "time", "s", "below", 30)
AT_MOST = Threshold("share", "share", "%", "at most", 20)


@pytest.mark.parametrize(
    ("threshold", "value", "met"),
    [
        (AT_LEAST, 0.5, True),
        (AT_LEAST, 0.499, False),
        (BELOW, 29.9, True),
        (BELOW, 30.0, False),
        (AT_MOST, 20.0, True),
        (AT_MOST, 20.1, False),
    ],
)
def test_threshold_is_met_on_its_right_side(threshold: Threshold, value: float, met: bool) -> None:
    assert Line(threshold, Figure(value)).met is met


def test_line_without_a_figure_is_missed() -> None:
    line = Line(AT_LEAST, None, "SetupError: no QEMU")
    assert not line.met
    text = render([line])
    assert "MISSED" in text and "not measured: SetupError: no QEMU" in text and "0 of 1 thresholds met" in text


def test_text_bar_is_in_proportion_to_the_limit() -> None:
    half, full, over = text_bar(BELOW, 15), text_bar(BELOW, 30), text_bar(BELOW, 36)
    mark = full.index("|")
    assert {text.index("|") for text in (half, full, over)} == {mark}
    assert half.count("=") == mark / 2
    assert full.count("=") == mark
    assert over.count("=") == round(mark * 1.2)
    assert {len(text) for text in (half, full, over)} == {len(text_bar(BELOW, 1e9))}


def test_text_bar_ends_where_its_column_ends() -> None:
    assert text_bar(BELOW, 1e9).endswith(">")
    assert "=" not in text_bar(BELOW, 0)
    assert ">" not in text_bar(BELOW, 31)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000623, "0.000623 s"), (0.4567, "0.457 s"), (12.34, "12.3 s"), (99.99, "100 s"), (1234.5, "1234 s")],
)
def test_numbers_keep_three_digits_or_all_of_the_whole_part(value: float, text: str) -> None:
    assert number(value, "s") == text


def test_table_has_one_line_for_each_threshold_under_its_heading() -> None:
    text = render([Line(AT_LEAST, Figure(0.4, "2 / 5 IOPS")), Line(BELOW, Figure(3.25))])
    heading, _, rate, time, _, last, *_ = text.split("\n")
    assert "0.4 x" in rate and "at least 0.5 x" in rate and "MISSED" in rate and rate.endswith("2 / 5 IOPS")
    assert "3.25 s" in time and "below 30 s" in time and "met" in time
    assert heading.index("limit") == rate.index("at least") == time.index("below")
    assert heading.index("result") == rate.index("MISSED") == time.index("met")
    assert last == "1 of 2 thresholds met. 1 MISSED."
