"""The picture of a graph: every operation once, edges that run through no box."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidecay as md
from minidecay import nn
from minidecay.look.layout import arrange, boxes_of


def mlp_loss():
    model = md.models.mlp(12, 8, 3, batch_norm=True)
    x = md.tensor(np.ones((4, 2, 2, 3), np.float32))
    return model, md.cross_entropy(model(x), [0, 1, 2, 0])


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_an_mlp_is_a_column_of_its_operations_with_shapes_and_parameters():
    model, loss = mlp_loss()
    found = texts(md.draw(loss, model))
    titles = ["linear", "batch_norm", "relu", "linear", "cross_entropy"]
    assert [text for text in found if text in titles] == titles
    assert found[:3] == ["input", "(4, 12)", "linear"]
    assert "1: weight (12, 8), bias (8,)" in found and "4: weight (8, 3), bias (3,)" in found
    boxes = boxes_of(loss, {})
    arrange(boxes)
    assert {box.lane for box in boxes} == {0}
    assert [box.rank for box in boxes] == list(range(6))


def test_without_a_model_parameters_are_told_by_their_shapes():
    _, loss = mlp_loss()
    assert "(12, 8), (8,)" in texts(md.draw(loss))


def test_a_graph_is_the_same_picture_after_backward():
    model, loss = mlp_loss()
    before = texts(md.draw(loss, model))
    loss.backward()
    assert texts(md.draw(loss, model)) == before


def test_a_residual_block_has_its_branch_beside_it_and_its_shortcut_around_it():
    block = md.models.wide_resnet(16, 1).group2
    x = md.tensor(np.ones((2, 4, 4, 16), np.float32), requires_grad=True)
    boxes = boxes_of(block(x).mean(), {id(p): name for name, p in block.named_parameters()})
    passed = arrange(boxes)
    by_note = {box.note.partition(":")[0]: box for box in boxes if box.note}
    first, shortcut = by_note["0.conv1"], by_note["0.shortcut"]
    assert first.rank == shortcut.rank and (first.lane, shortcut.lane) == (0, 1)
    adds = [box for box in boxes if box.title == "add"]
    assert [box.lane for box in adds] == [0, 0]
    identity = passed[id(adds[1]), id(adds[0])]
    assert [lane for _, lane in identity] == [1] * (adds[1].rank - adds[0].rank - 1)
    md.draw(block(x).mean(), block)


def test_numbers_that_are_leaves_show_their_value():
    a, b = (md.tensor(v, requires_grad=True) for v in (2.0, -3.5))
    found = texts(md.draw((a * b + 1.0).tanh()))
    assert found[:2] == ["leaf = 2", "()"] and "leaf = -3.5" in found
    assert [title for title in found if title in ("mul", "add", "tanh")] == ["mul", "add", "tanh"]


def test_what_goes_in_beside_an_operation_is_noted():
    x = md.tensor(np.ones((2, 3)), requires_grad=True)
    found = texts(md.draw(md.mse_loss(x * 2.0, np.zeros((2, 3)))))
    assert "given (2, 3)" in found and found.count("(2, 3)") == 2


@given(st.data())
def test_boxes_never_share_a_place_and_edges_run_through_none(data):
    """Graphs of any form: each operation adds two earlier tensors, the last one takes all."""
    tensors = [md.tensor([1.0], requires_grad=True) for _ in range(data.draw(st.integers(1, 3)))]
    for _ in range(data.draw(st.integers(0, 8))):
        i, j = (data.draw(st.integers(0, len(tensors) - 1)) for _ in range(2))
        tensors.append(tensors[i] + tensors[j])
    loss = md.concatenate(tensors)
    boxes = boxes_of(loss, {})
    passed = arrange(boxes)
    places = [(box.rank, box.lane) for box in boxes]
    places += [place for edge in passed.values() for place in edge]
    assert len(set(places)) == len(places)
    assert min(lane for _, lane in places) == 0 and min(rank for rank, _ in places) >= 0
    for box, source in itertools.product(boxes, boxes):
        if source in box.sources:
            assert source.rank < box.rank
            ranks = [rank for rank, _ in passed[id(box), id(source)]]
            assert ranks == list(range(source.rank + 1, box.rank))


def test_it_is_saved_whole(tmp_path):
    _, loss = mlp_loss()
    figure = md.draw(loss, path=tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes()[:4] == b"\x89PNG"
    width, height = figure.get_size_inches()
    assert 1 < width < 5 and 3 < height < 5


def test_what_has_no_graph_is_refused():
    x = md.tensor([1.0])
    with md.no_grad():
        y = md.tensor([1.0], requires_grad=True) * 2
    for tensor in (x, x + 1, y, nn.Parameter([1.0])):
        with pytest.raises(ValueError, match="draw: nothing is recorded behind this tensor"):
            md.draw(tensor)


def test_what_is_too_large_for_a_picture_is_refused():
    y = md.tensor([1.0], requires_grad=True)
    for _ in range(400):
        y = y + 1.0
    with pytest.raises(ValueError, match="draw: 401 boxes do not fit a picture"):
        md.draw(y)
