"""The guide from torch's schedulers to ours: each of its pairs, over whole runs and resumes."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import minidecay as md
from minidecay import optim
from minidecay.data import Split
from minidecay.optim import SGD
from minidecay.random import stream
from minidecay.training import fit

GUIDE = (Path(__file__).parents[2] / "examples" / "schedules.md").read_text(encoding="utf-8")
EPOCHS = 90


def pairs(heading):
    """The rows of the table under a heading: torch's code and ours."""
    section = GUIDE.partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", section, re.MULTILINE)
    assert rows
    return rows


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def both(torch, theirs, ours, steps_per_epoch):
    """An optimiser of each kind at lr 0.1 under the code of the pair, and torch's scheduler."""
    twin = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    swa = {"SWALR": torch.optim.swa_utils.SWALR}
    names = vars(torch.optim.lr_scheduler) | swa | {"optimizer": twin}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that SequentialLR warns of itself is not our matter
        scheduler = eval(theirs, names)
    lr = eval(ours, vars(optim))
    weight = md.tensor(np.zeros(1), requires_grad=True)
    return twin, scheduler, SGD([weight], lr, steps_per_epoch=steps_per_epoch)


def rates(torch, pair, steps_per_epoch, losses=None, resumes=()):
    """What both train at, step by step; at each of `resumes` all is saved and made anew."""
    twin, scheduler, optimizer = both(torch, *pair, steps_per_epoch)
    seen = []
    for step in range(EPOCHS * steps_per_epoch):
        if step in resumes:
            kept = twin.state_dict(), scheduler.state_dict(), optimizer.state_dict()
            twin, scheduler, optimizer = both(torch, *pair, steps_per_epoch)
            for each, state in zip((twin, scheduler, optimizer), kept, strict=True):
                each.load_state_dict(state)
        twin.step()
        optimizer.step()
        seen.append((twin.param_groups[0]["lr"], optimizer.last_lr))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if losses is not None:
                scheduler.step(losses[step])
                optimizer.observe(losses[step])
            elif step < EPOCHS * steps_per_epoch - 1:  # OneCycleLR has no step beyond its last
                scheduler.step()
    return np.array(seen).T


def assert_same(theirs, ours):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("resumes", [(), (1, 6, 47)], ids=["whole", "resumed"])
@pytest.mark.parametrize("pair", pairs("A call of `scheduler.step()` each epoch"), ids=str)
def test_by_epochs(torch, pair, resumes):
    assert_same(*rates(torch, pair, 1, resumes=resumes))


@pytest.mark.parametrize("resumes", [(), (13, 470)], ids=["whole", "resumed"])
@pytest.mark.parametrize("pair", pairs("A call of `scheduler.step()` each step"), ids=str)
def test_by_steps(torch, pair, resumes):
    assert_same(*rates(torch, pair, 10, resumes=resumes))


@pytest.mark.parametrize("resumes", [(), (1, 6, 47)], ids=["whole", "resumed"])
@pytest.mark.parametrize("pair", pairs("A call of `scheduler.step(loss)` each epoch"), ids=str)
def test_by_losses(torch, pair, resumes):
    losses = np.random.default_rng(0).uniform(1, 2, EPOCHS) + 3 * np.exp(-np.arange(EPOCHS) / 9)
    theirs, ours = rates(torch, pair, 1, losses, resumes)
    assert len({*theirs}) > 3
    assert_same(theirs, ours)


def test_each_of_torchs_schedulers_is_in_the_guide(torch):
    library = torch.optim.lr_scheduler
    names = {name for name in vars(library) if name.endswith("LR")} - {"LRScheduler"}
    names |= {"CosineAnnealingWarmRestarts", "ChainedScheduler", "ReduceLROnPlateau"}
    assert [name for name in sorted(names) if f"`{name}(" not in GUIDE] == []


def test_each_of_our_kinds_is_in_the_guide():
    kinds = {kind.__name__ for kind in optim.Schedule.__subclasses__()}
    ours = {name for name in optim.__all__ if name in kinds} | {"Plateau", "AutoDecay"}
    assert len(ours) == 14
    assert [name for name in sorted(ours) if name not in GUIDE] == []


def test_the_loop_of_the_guide_trains(capsys):
    code = re.search(r"<!-- test: ours -->\n```python\n(.*?)```", GUIDE, re.DOTALL)[1]
    rng = np.random.default_rng(0)
    train = Split(rng.standard_normal((130, 4)).astype(np.float32), rng.integers(2, size=130))
    names = vars(optim) | {"fit": fit, "stream": stream, "train": train}
    exec(code.replace("epochs=90", "epochs=7"), names | {"model": md.nn.Linear(4, 2)})
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    schedule = optim.Ramp(0.01, 0.1, 5).then(optim.Cosine(0.1, 85))
    assert [float(lr) for _, lr in told] == [schedule(epoch + 0.5) for epoch in range(7)]
