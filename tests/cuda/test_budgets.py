"""What each kernel file may take of a GPU is written down, and read."""

import pytest

from minidecay.cuda import source
from minidecay.cuda.budgets import Budget, budgets


def test_every_kernel_file_has_a_budget_and_every_budget_a_kernel_file():
    assert sorted(budgets()) == source.names()


def test_registers_are_budgeted_as_hardware_hands_them_out():
    assert [name for name, budget in budgets().items() if budget.registers % 8] == []
    assert all(0 < budget.occupancy <= 1 for budget in budgets().values())


def test_a_budget_is_read_by_family_and_rung(tmp_path):
    path = tmp_path / "budgets.toml"
    path.write_text("[matmul]\n01_naive = { registers = 40, shared = 0, occupancy = 1 }\n")
    assert budgets(path) == {"matmul/01_naive": Budget(40, 0, 1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[matmul\n", r"budgets\.toml: .*line 1"),
        ("[matmul]\none = 3\n", "matmul/one: a budget has registers, shared, occupancy, not 3"),
        ("[matmul]\none = { registers = 8 }\n", "has registers, shared, occupancy, not {'reg"),
        (
            "[matmul]\none = { registers = 8.5, shared = 0, occupancy = 1 }\n",
            r"one: registers must be a whole number of 0 or more, not 8\.5",
        ),
        (
            "[matmul]\none = { registers = 8, shared = true, occupancy = 1 }\n",
            "one: shared must be a whole number of 0 or more, not True",
        ),
        (
            "[matmul]\none = { registers = 8, shared = 0, occupancy = 50 }\n",
            "one: occupancy must be 0 to 1, not 50",
        ),
        ("matmul = 3\n", "matmul: a table of kernel files, not 3"),
    ],
)
def test_a_budget_that_cannot_be_read_is_told(tmp_path, text, message):
    path = tmp_path / "budgets.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        budgets(path)
