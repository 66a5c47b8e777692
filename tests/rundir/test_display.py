"""Numbers as a reader sees them."""

from __future__ import annotations

import pytest

from prefrun.rundir.display import format_change, format_interval, format_mean, format_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.71234, "0.712"),
        (-0.0006, "-0.001"),
        (3e-5, "3.00e-05"),
        (12.345, "12.35"),
        (1234.56, "1234.6"),
        (2e6, "2.00e+06"),
    ],
)
def test_numbers_have_about_four_digits(value, text):
    assert format_number(value) == text


def test_a_mean_and_its_error_have_the_same_decimals():
    assert format_mean(0.712, 0.0101) == "0.712 ± 0.010"
    assert format_mean(18.4, 0.0101) == "18.40 ± 0.01"
    assert format_mean(3e-5, 1e-6) == "3.00e-05 ± 1.00e-06"


def test_a_change_has_a_sign_and_needs_both_ends():
    assert format_change(0.5, 0.75) == "+0.250"
    assert format_change(0.75, 0.5) == "-0.250"
    assert format_change(0.5, 0.5) == "+0.000"
    assert format_change(0.1 + 0.2, 0.3) == "+0.000"
    assert format_change(0.0, 1e-6) == "+1.00e-06"
    assert format_change(None, 0.5) == format_change(0.5, None) == ""


def test_an_interval_needs_both_ends():
    assert format_interval(0.5, 0.75) == "0.500 to 0.750"
    assert format_interval(None, 0.75) == ""
