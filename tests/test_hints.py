"""What torch calls otherwise, and what stands in the wrong place, is told in a line."""

import re

import pytest

import minidecay as md
from minidecay import hints, nn

OWNERS = {
    "Tensor": (md.tensor([1.0]), hints.TENSOR, "'Tensor' object"),
    "Module": (md.nn.ReLU(), hints.MODULE, "'ReLU' object"),
    "minidecay": (md, hints.PACKAGE, "module 'minidecay'"),
    "nn": (md.nn, hints.NN, "module 'minidecay.nn'"),
    "init": (md.nn.init, hints.INIT, "module 'minidecay.nn.init'"),
    "optim": (md.optim, hints.OPTIM, "module 'minidecay.optim'"),
    "data": (md.data, hints.DATA, "module 'minidecay.data'"),
}
EACH = [(owner, name) for owner, (_, names, _) in OWNERS.items() for name in names]


@pytest.mark.parametrize(("owner", "name"), EACH)
def test_a_name_of_torchs_leads_to_ours(owner, name):
    it, names, called = OWNERS[owner]
    with pytest.raises(AttributeError) as told:
        getattr(it, name)
    says = f"{called} has no attribute {name!r}; torch's {name} is here: {names[name]}"
    assert str(told.value) == says


@pytest.mark.parametrize(("owner", "name"), EACH)
def test_what_a_hint_names_is_there(owner, name):
    it, names, _ = OWNERS[owner]
    for path in re.findall(r"minidecay((?:\.\w+)+)", names[name]):
        found = md
        for part in path[1:].split("."):
            found = getattr(found, part)
    if first := re.match(r"(\w+)(?:\(|,|$| and)", names[name]):
        assert hasattr(it, first[1]), names[name]


@pytest.mark.parametrize("owner", OWNERS)
def test_a_name_of_nobodys_is_an_error_as_ever(owner):
    it, _, called = OWNERS[owner]
    assert not hasattr(it, "nothing")
    with pytest.raises(AttributeError, match=f"^{called} has no attribute 'nothing'$"):
        it.nothing  # noqa: B018


SPLIT = md.data.from_arrays([[0, 1, 2]], [0])


def fit(model=nn.Linear(3, 2), optimizer=None):  # noqa: B008
    list(md.training.fit(model, optimizer, SPLIT, epochs=1, batch_size=1, rng=md.random.stream(0)))


MISPLACED = {
    "draw": (lambda: md.draw(3), "draw: loss is of type int; give a tensor"),
    "draw model": (lambda: md.draw(md.tensor(1), "a.png"), "draw: model is of type str; give a Mo"),
    "summary": (
        lambda: md.summary((1, 3), nn.ReLU()),
        "summary: model is of type tuple; giv",
    ),
    "to_torch": (lambda: md.to_torch({}), "to_torch: model is of type dict; give a Module"),
    "from_torch": (
        lambda: md.from_torch(nn.ReLU(), {}),
        "from_torch: model is of type dict; give a Module of minidecay.nn",
    ),
    "from_torch module": (
        lambda: md.from_torch(nn.ReLU(), nn.ReLU()),
        r"state_dict is of type ReLU; pass torch_model.state_dict\(\), and the model after it",
    ),
    "load_state_dict": (
        lambda: nn.ReLU().load_state_dict("model.npz"),
        "load_state_dict: state is of type str; give arrays by name",
    ),
    "evaluate": (lambda: md.training.evaluate(SPLIT, nn.ReLU()), "evaluate: model is of type mini"),
    "fit": (lambda: fit(optimizer=0.1), "fit: optimizer is of type float; give one of minidecay.o"),
    "fit model": (lambda: fit(model=SPLIT), "fit: model is of type minidecay.data.split.Split; g"),
    "one tensor": (
        lambda: md.optim.Adam(md.tensor([1.0], requires_grad=True)),
        r"Adam: params is one tensor; put it into a list, \[w\]",
    ),
    "a model": (
        lambda: md.optim.SGD(nn.Linear(3, 2), 0.1),
        r"SGD: params is a Linear; pass model.parameters\(\)",
    ),
    "capture": (lambda: md.capture(md.tensor(1)), "capture: step is of type Tensor; pass a func"),
    "clipping": (
        lambda: md.optim.clip_grad_norm_(nn.Linear(3, 2), 1.0),
        "norm_: a .* is no tens",
    ),
    "averaging": (lambda: md.optim.AveragedModel([]), "AveragedModel: model is of type list; give"),
    "average": (
        lambda: md.optim.AveragedModel(nn.ReLU()).update_parameters({}),
        "AveragedModel: model is of type dict; give a Module",
    ),
    "update_bn": (lambda: md.optim.update_bn(nn.ReLU(), []), "update_bn: model is of type list; g"),
    "a state": (
        lambda: md.optim.Adam(nn.Linear(3, 2).parameters()).load_state_dict("adam.npz"),
        r"Adam: a state is of type str; give a dict, as state_dict\(\) does",
    ),
    "noise": (
        lambda: md.data.label_noise([0, 1], [[1]], None),
        "label_noise: split is of type li",
    ),
    "held out": (
        lambda: md.data.train_test_split(3, None),
        "train_test_split: split is of typ",
    ),
    "statistics": (
        lambda: md.data.channel_statistics(3),
        "channel_statistics: split is of t",
    ),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_what_stands_in_the_wrong_place_is_told_in_a_line(name):
    attempt, says = MISPLACED[name]
    with pytest.raises(TypeError, match=says) as told:
        attempt()
    assert "\n" not in str(told.value)
