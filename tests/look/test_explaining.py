"""What an explanation says of a plan: its units, their ways, their bytes and FLOPs, their times."""

import re

import numpy as np
import pytest

import minidecay as md

F32 = np.float32


def training(model, lr=0.1):
    optimizer = md.optim.SGD(model.parameters(), lr, momentum=0.9)

    @md.capture
    def step(x, labels):
        optimizer.zero_grad()
        loss = md.cross_entropy(model(md.from_numpy(x)), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def of_cnn():
    rng = np.random.default_rng(0)
    model = md.nn.Sequential(
        md.nn.Conv2d(3, 4, 3, padding=1, rng=rng),
        md.nn.ReLU(),
        md.nn.Conv2d(4, 2, 1, rng=rng),
        md.nn.Flatten(),
        md.nn.Linear(2 * 5 * 5, 3, rng=rng),
    )
    x = rng.standard_normal((6, 5, 5, 3)).astype(F32)
    return training(model), (x, rng.integers(3, size=6))


def test_products_and_convolutions_tell_their_way_and_their_flops():
    step, batch = of_cnn()
    step(*batch)
    rows = {}
    for row in md.explain(step).rows:
        rows.setdefault(row.name, []).append(row)
    (first,), (second,) = rows["conv2d + bias + relu"], rows["conv2d + bias"]
    assert (first.way, second.way) == ("conv_by_planes", "conv_by_places")
    pixels = 6 * 5 * 5
    one, two, product = 2 * pixels * 4 * 9 * 3, 2 * pixels * 2 * 4, 2 * 6 * 3 * 50
    assert (first.flops, second.flops) == (one, two)
    weights = [row.flops for row in rows["conv2d_weight_grad"]]
    assert weights == [two, one]  # backward goes from the last layer to the first
    assert [row.flops for row in rows["conv2d_input_grad"]] == [two]  # x needs no gradient
    assert rows["matmul + bias"][0].flops == product
    assert [row.flops for row in rows["matmul"]] == [product, product]
    x, y, w, b = pixels * 3, pixels * 4, 3 * 3 * 3 * 4, 4
    assert first.bytes == 4 * (x + y + w + b)
    assert first.shapes == "(6, 5, 5, 3), (3, 3, 3, 4), (4,) -> (6, 5, 5, 4)"


def test_the_optimiser_is_a_unit_and_what_only_hands_on_is_one_row():
    step, batch = of_cnn()
    step(*batch)
    rows = md.explain(step).rows
    assert "SGD.step" in [row.name for row in rows]
    assert re.fullmatch(r"\d+ that hand on", rows[-1].name)


def test_timed_runs_are_measured_and_train_as_calls_do():
    (step, batch), (other, _) = of_cnn(), of_cnn()
    losses = [step.timed(*batch).item() for _ in range(4)]
    assert losses == [other(*batch).item() for _ in range(4)]
    explanation = md.explain(step)
    assert explanation.runs == 3  # the first recorded it
    assert all(row.measured > 0 for row in explanation.rows)
    assert all(row.measured is None for row in md.explain(other).rows)


def test_an_estimate_is_the_longer_of_computing_and_moving():
    step, batch = of_cnn()
    step(*batch)
    explanation = md.explain(step)
    assert explanation.machine.flops > 0 and explanation.machine.bandwidth > 0
    for row in explanation.rows:
        if row.shapes:
            computing = row.flops / explanation.machine.flops
            moving = row.bytes / explanation.machine.bandwidth
            assert row.estimate == max(computing, moving) > 0


def test_it_prints_a_table_with_totals_and_says_how_to_have_times():
    step, batch = of_cnn()
    step(*batch)
    lines = str(md.explain(step)).splitlines()
    assert lines[0].split("  ")[0] == "unit"
    (total,) = (line for line in lines if line.startswith("in all"))
    assert re.match(r"in all\s+[\d.]+\s+[\d.]+\s+[\d.]+$", total)
    assert "measured: call .timed(...) on the step." in lines[-1]
    step.timed(*batch)
    assert "over 1 timed runs" in str(md.explain(step))


def test_a_plan_can_be_explained_itself():
    step, batch = of_cnn()
    step(*batch)
    ((plan,),) = step.plans.values()
    assert [r.name for r in md.explain(plan).rows] == [r.name for r in md.explain(step).rows]


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        (lambda x: x, TypeError, "explain: a function is no captured step; md.capture it"),
        (md.capture(lambda x: x), ValueError, "explain: the step has not run yet"),
    ],
)
def test_what_has_no_plan_is_refused_in_a_line(step, error, said):
    with pytest.raises(error, match=re.escape(said)):
        md.explain(step)


def test_a_step_that_runs_as_it_stands_says_why_it_has_no_plan():
    step = md.capture(lambda x: float(md.from_numpy(x).sum()))
    step(np.ones(2, F32))
    with pytest.raises(ValueError, match=r"explain: the step runs as it stands, since it reads"):
        md.explain(step)
