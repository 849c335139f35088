"""Values against an oracle of 50 digits, over the whole ball; benchmarks/ulp.py prints the table."""

import runpy
from pathlib import Path

import pytest

ULP = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/ulp.py"))


@pytest.mark.parametrize("dtype", ULP["GAPS"])
@pytest.mark.parametrize("name", ULP["FUNCTIONS"])
def test_no_value_is_more_than_8_condition_limited_ulp_off(name, dtype):
    _, limited = ULP["worst_ulp"](name, dtype, ULP["GAPS"][dtype], n=150)
    assert limited <= 8
