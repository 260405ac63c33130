"""The graph of a loss as a picture, drawn with matplotlib alone."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minidecay.autograd import Tensor
from minidecay.look.layout import Box, Place, arrange, boxes_of
from minidecay.nn import Module
from minidecay.nn.module import check_module
from minidecay.plots.curves import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMIT = 400  # boxes that still make a picture
MARGIN, HEIGHT, DOWN, APART = 0.1, 0.4, 0.62, 0.35  # inches; DOWN from one rank to the next
COLOURS = {
    "#D3E4F3": ("linear", "matmul", "conv2d", "conv_transpose2d", "embedding"),
    "#FBE7C6": ("batch_norm", "batch_norm_inference", "layer_norm"),
    "#D8EFDD": (
        *("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh"),
        *("softmax", "log_softmax"),
    ),
}


def draw(
    loss: Tensor, model: Module | None = None, path: str | os.PathLike[str] | None = None
) -> "Figure":
    """Draw what `loss` was computed from: operations, the shapes they give, what goes in.

    Each box is an operation with the shape of its output, below it the parameters it reads. Tensors
    from outside stand in dashed boxes. A graph may be drawn before `backward` or after it.

    Args:
        loss: any tensor that was recorded.
        model: whose parameters are then called by their names.
        path: where to save it (.png, .pdf or .svg), whole or not at all.

    Raises:
        ValueError: nothing was recorded, or there are more than 400 boxes.
        TypeError: `loss` is no tensor, or `model` no Module.

    >>> model = md.models.mlp(4, 8, 3)
    >>> loss = md.cross_entropy(model(md.tensor(np.zeros((2, 4), np.float32))), [0, 1])
    >>> figure = md.draw(loss, model)  # figure.savefig("mlp.png")
    """
    from matplotlib.figure import Figure

    if not isinstance(loss, Tensor):
        raise TypeError(f"draw: loss is of type {type(loss).__name__}; give a tensor, then a model")
    if model is not None:
        check_module("draw: model", model)
    names = {} if model is None else {id(p): name for name, p in model.named_parameters()}
    boxes = boxes_of(loss, names)
    if len(boxes) > LIMIT:
        raise ValueError(f"draw: {len(boxes)} boxes do not fit a picture; draw a smaller model")
    passed = arrange(boxes)
    sheet = _Sheet(max(map(_width, boxes)))
    right = max(sheet.left(box.lane) + sheet.width for box in boxes)
    right = max([right, *(sheet.passing(at)[0] for places in passed.values() for at in places)])
    size = right + MARGIN, sheet.top(max(box.rank for box in boxes)) + HEIGHT + MARGIN
    figure = Figure(figsize=size, dpi=150)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0))
    axes.axis("off")
    for box in boxes:
        sheet.draw_box(axes, box, is_last=box is boxes[-1])
        for source in dict.fromkeys(box.sources):
            sheet.draw_edge(axes, source, box, passed[id(box), id(source)])
    if path is not None:
        save(figure, path)
    return figure


def _width(box: Box) -> float:
    """Inches that a box needs for its letters."""
    return 0.4 + max(0.085 * len(box.title + str(box.shape)), 0.056 * len(box.note))


@dataclass(frozen=True)
class _Sheet:
    """Places in inches from the upper left, for boxes of one width."""

    width: float

    def left(self, lane: int) -> float:
        return MARGIN + lane * (self.width + APART)

    def top(self, rank: int) -> float:
        return MARGIN + rank * DOWN

    def passing(self, place: Place) -> tuple[float, float]:
        """The top of the line by which an edge passes a place."""
        return self.left(place[1]) + 0.1, self.top(place[0])

    def draw_box(self, axes: Any, box: Box, is_last: bool) -> None:
        from matplotlib.patches import FancyBboxPatch

        left, top = self.left(box.lane), self.top(box.rank)
        is_outside = not box.sources
        axes.add_patch(
            FancyBboxPatch(
                (left, top),
                self.width,
                HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor="white" if is_outside else _colour(box.title, is_last),
                edgecolor="0.45",
                linestyle="--" if is_outside else "-",
                linewidth=0.8,
            )
        )
        y = top + (0.13 if box.note else HEIGHT / 2)
        style = {"va": "center", "fontsize": 8}
        weight = "normal" if is_outside else "bold"
        axes.text(left + 0.08, y, box.title, ha="left", weight=weight, **style)
        axes.text(left + self.width - 0.08, y, str(box.shape), ha="right", **style)
        axes.text(left + 0.08, top + 0.3, box.note, color="0.3", va="center", fontsize=6.5)

    def draw_edge(self, axes: Any, source: Box, box: Box, passed: list[Place]) -> None:
        """An arrow from the foot of one box to the head of another, by way of free places."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        start = self.left(source.lane) + self.width / 2, self.top(source.rank) + HEIGHT
        points, codes = [start], [Path.MOVETO]

        def curve_to(x: float, y: float) -> None:
            """Upright at both ends."""
            from_x, from_y = points[-1]
            middle = (from_y + y) / 2
            points.extend([(from_x, middle), (x, middle), (x, y)])
            codes.extend([Path.CURVE4] * 3)

        if passed:
            curve_to(*self.passing(passed[0]))
            x, y = self.passing(passed[-1])
            points.append((x, y + HEIGHT))
            codes.append(Path.LINETO)
        curve_to(self.left(box.lane) + self.width / 2, self.top(box.rank))
        line = Path(points, codes)
        arrow = FancyArrowPatch(
            path=line, arrowstyle="-|>", mutation_scale=8, color="0.35", linewidth=0.9
        )
        axes.add_patch(arrow)


def _colour(title: str, is_last: bool) -> str:
    if is_last:
        return "#F7D7DA"
    return next((colour for colour, names in COLOURS.items() if title in names), "#EFEFEF")
