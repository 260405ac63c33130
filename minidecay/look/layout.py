"""Where the boxes of a graph stand: a rank from top to bottom, and a lane from left to right.

An operation stands one rank below the lowest of its inputs, in the lane of the one it follows, so
that a chain is a straight line. A branch takes the next lane, and so does an edge that passes
ranks by: no edge runs through a box.

    rank 0   x
    rank 1   conv2d  ·
    rank 2   relu    ·     an edge from x to add, in lane 1
    rank 3   add   <-+
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from minidecay.autograd import Tensor
from minidecay.graph import Node
from minidecay.nn import Parameter


@dataclass(eq=False)
class Box:
    """An operation with its parameters, or a tensor that comes from outside.

    Attributes:
        title: the operation's name; of a tensor its own, or what it is.
        shape: of the output.
        note: what else goes in, without a box of its own: parameters, by name and shape.
        sources: the boxes whose outputs it reads.
    """

    title: str
    shape: tuple[int, ...]
    note: str = ""
    sources: "list[Box]" = field(default_factory=list)
    rank: int = 0
    lane: int = 0


Place = tuple[int, int]  # rank, lane


def boxes_of(loss: Tensor, names: Mapping[int, str]) -> list[Box]:
    """The boxes of everything that `loss` was computed from; `names` calls leaves by their id."""
    nodes = _reachable(loss)
    made: dict[int, Box] = {}  # by the id of a node or a leaf
    outside: list[Box] = []
    for node in nodes:
        box = made[id(node)] = Box(node.name, node.shape)
        parameters: list[tuple[str, tuple[int, ...]]] = []
        given: list[tuple[int, ...]] = []
        for target in node.targets:
            if isinstance(target, tuple):
                given += [target] * (target != ())  # numbers are not worth a word
            elif isinstance(target, Node):
                box.sources.append(made[id(target)])
            elif isinstance(target, Parameter):
                parameters.append((names.get(id(target), ""), target.shape))
            else:
                assert isinstance(target, Tensor)
                if id(target) not in made:
                    made[id(target)] = Box(_title(target, names), target.shape)
                    outside.append(made[id(target)])
                box.sources.append(made[id(target)])
        if not box.sources and given:
            outside.append(Box("input", given.pop(0)))
            box.sources.append(outside[-1])
        box.note = "; ".join([*_noted(parameters), *(f"given {shape}" for shape in given)])
    return [*outside, *(made[id(node)] for node in nodes)]


def arrange(boxes: list[Box]) -> dict[tuple[int, int], list[Place]]:
    """Give each box its rank and lane; the places each edge passes, by (reader, its source)."""
    outside = [box for box in boxes if not box.sources]
    operations = [box for box in boxes if box.sources]
    for box in operations:
        box.rank = 1 + max(source.rank for source in box.sources)
    for box in outside:
        box.rank = min(reader.rank for reader in operations if box in reader.sources) - 1
    taken: set[Place] = set()

    def free_lane(ranks: range, wanted: int) -> int:
        lane = next(n for n in _near(wanted) if not any((rank, n) in taken for rank in ranks))
        taken.update((rank, lane) for rank in ranks)
        return lane

    for box in sorted(operations, key=lambda box: box.rank):
        before = [s.lane for s in box.sources if s.sources and s.rank == box.rank - 1]
        box.lane = free_lane(range(box.rank, box.rank + 1), before[0] if before else 0)
    for box in outside:
        reader = next(reader for reader in operations if box in reader.sources)
        box.lane = free_lane(range(box.rank, box.rank + 1), reader.lane)
    passed: dict[tuple[int, int], list[Place]] = {}
    for box in operations:
        for source in set(box.sources):
            between = range(source.rank + 1, box.rank)
            lane = free_lane(between, source.lane) if between else 0
            passed[id(box), id(source)] = [(rank, lane) for rank in between]
    return passed


def _reachable(loss: Tensor) -> list[Node]:
    """The recorded operations, oldest first."""
    root = loss._node
    if root is None:
        raise ValueError(
            "draw: nothing is recorded behind this tensor; draw what was computed from tensors "
            "that require a gradient, outside of no_grad()"
        )
    seen, waiting = {id(root): root}, [root]
    while waiting:
        for target in waiting.pop().targets:
            if isinstance(target, Node) and id(target) not in seen:
                seen[id(target)] = target
                waiting.append(target)
    return sorted(seen.values(), key=lambda node: node.number)


def _title(leaf: Tensor, names: Mapping[int, str]) -> str:
    """A leaf's name, and where it is one number also that."""
    name = names.get(id(leaf), "leaf")
    return f"{name} = {leaf.item():.4g}" if leaf.size == 1 else name


def _noted(parameters: list[tuple[str, tuple[int, ...]]]) -> list[str]:
    """`0.weight (4, 3)` and `0.bias (3,)` as one line, `0: weight (4, 3), bias (3,)`."""
    lines: dict[str, list[str]] = {}
    for name, shape in parameters:
        module, _, own = name.rpartition(".")
        lines.setdefault(module, []).append(f"{own} {shape}".strip())
    return [f"{module}: " * bool(module) + ", ".join(texts) for module, texts in lines.items()]


def _near(lane: int) -> Iterator[int]:
    """Lanes to try: this one, those to the right of it; there is always one."""
    while True:
        yield lane
        lane += 1
