"""What torch calls otherwise: an AttributeError for such a name says what does the same here."""

from collections.abc import Mapping

TENSOR = {
    "view": "reshape", "view_as": "reshape", "permute": "transpose", "t": "T",
    "swapaxes": "transpose", "flatten": "reshape, or nn.Flatten()", "clamp": "clip",
    "chunk": "split", "repeat": "expand", "tile": "expand", "expand_as": "expand",
    "broadcast_to": "expand", "dim": "ndim", "numel": "size", "type": "dtype", "mm": "@",
    "bmm": "@", "matmul": "@", "dot": "@", "pow": "**", "clone": "minidecay.tensor(x)",
    "contiguous": "the tensor itself", "float": "astype('float32')",
    "double": "astype('float64')", "half": "astype('float16')", "int": "astype('int32')",
    "long": "astype('int64')", "bool": "astype(bool)", "cpu": "to('cpu')", "cuda": "to('cuda')",
    "tolist": "numpy().tolist()", "any": "numpy().any()", "all": "numpy().all()",
    "gather": "x[rows, columns]", "index_select": "x[indices]",
    "masked_fill": "minidecay.where(mask, y, x)",
    "norm": "(x * x).sum().sqrt()", "requires_grad_": "x.requires_grad = True",
    "grad_fn": "minidecay.draw(x), a picture of the graph", "zero_": "x[...] = 0",
    "fill_": "x[...] = value", "copy_": "x[...] = y", "add_": "x += y", "sub_": "x -= y",
    "mul_": "x *= y", "div_": "x /= y", "where": "minidecay.where(mask, x, y)",
    **{name: f"minidecay.{name}(x)" for name in ("gelu", "leaky_relu", "silu", "softplus")},
}  # fmt: skip

PACKAGE = {
    "cat": "concatenate", "clamp": "clip", "permute": "transpose", "mm": "matmul",
    "bmm": "matmul", "dot": "matmul", "flatten": "reshape", "chunk": "split",
    "broadcast_to": "expand", "tile": "expand", "zeros": "tensor(np.zeros(shape, 'float32'))",
    "ones": "tensor(np.ones(shape, 'float32'))", "arange": "tensor(np.arange(n))",
    "eye": "tensor(np.eye(n))", "linspace": "tensor(np.linspace(a, b, n))",
    "rand": "tensor(random.stream(seed).random(shape, 'float32'))",
    "randn": "tensor(random.stream(seed).standard_normal(shape, 'float32'))",
    "manual_seed": "random.stream(seed, name), a generator to pass in",
    "Generator": "random.stream(seed, name)", "inference_mode": "no_grad",
    "compile": "capture", "jit": "capture", "float32": "'float32', as NumPy names it",
    "float64": "'float64', as NumPy names it", "int64": "'int64', as NumPy names it",
    "utils": "data",
}  # fmt: skip

NN = {
    "functional": "minidecay.functions", "AdaptiveAvgPool2d": "GlobalAvgPool2d",
    "utils": "optim.clip_grad_norm_ and clip_grad_value_",
}  # fmt: skip

INIT = {
    f"{name}_": f"{name}(shape, rng), which gives an array"
    for kind in ("kaiming", "xavier")
    for name in (f"{kind}_normal", f"{kind}_uniform", "orthogonal")
}

MODULE = {
    "cuda": "to('cuda')", "cpu": "to('cpu')", "named_children": "children, which has the names",
    "named_buffers": "named_tensors", "apply": "a loop over modules()",
    "add_module": "self.name = module", "register_module": "self.name = module",
    "register_parameter": "self.name = Parameter(array)",
    "requires_grad_": "requires_grad of its parameters()",
}  # fmt: skip

OPTIM = {
    "lr_scheduler": "a schedule as the optimiser's lr, see examples/schedules.md",
    "swa_utils": "AveragedModel and update_bn",
    "StepLR": "Steps", "MultiStepLR": "Steps", "ConstantLR": "Constant", "LinearLR": "Ramp",
    "ExponentialLR": "Exponential", "CosineAnnealingLR": "Cosine", "PolynomialLR": "Polynomial",
    "CosineAnnealingWarmRestarts": "CosineRestarts", "OneCycleLR": "OneCycle",
    "CyclicLR": "Triangular", "ReduceLROnPlateau": "Plateau",
    "LambdaLR": "any function of t in epochs as the optimiser's lr",
    "SequentialLR": "Ramp(0, 0.1, 5).then(Cosine(0.1, 95)), of any two",
}  # fmt: skip

DATA = {
    "DataLoader": "batches", "TensorDataset": "from_arrays", "Dataset": "Split",
    "random_split": "train_test_split",
}  # fmt: skip


def missing(owner: str, name: str, hints: Mapping[str, str]) -> AttributeError:
    """The error for an attribute that `owner` lacks, with what does the same where there is one.

    >>> missing("module 'minidecay'", "cat", PACKAGE)
    AttributeError("module 'minidecay' has no attribute 'cat'; torch's cat is here: concatenate")
    """
    hint = f"; torch's {name} is here: {hints[name]}" if name in hints else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}")
