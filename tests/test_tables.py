"""Tables: columns that line up, and a spread where there is one."""

import statistics

import pytest

from minidecay.tables import mean_and_spread, table


def test_one_value_has_no_spread():
    assert mean_and_spread([0.12345]) == "0.123"


def test_the_spread_is_the_standard_deviation_of_a_sample():
    values = [0.1, 0.2, 0.6]
    assert mean_and_spread(values) == f"0.300 ± {statistics.stdev(values):.3f}" == "0.300 ± 0.265"


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_flush_right():
    lines = table(["arm", "accuracy", "n"], [["decay", "0.9", "10"], ["constant", "0.75", "2"]])
    assert lines.splitlines() == [
        "arm       accuracy   n",
        "--------  --------  --",
        "decay          0.9  10",
        "constant      0.75   2",
    ]


def test_a_table_without_rows_is_its_header():
    assert table(["arm", "n"], []) == "arm  n\n---  -"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table(["arm", "n"], [["decay"]])
