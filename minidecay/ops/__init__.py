"""Operations, one a file: the formula, the check, forward and backward, read top to bottom."""

from minidecay.ops.abs import Abs
from minidecay.ops.add import Add
from minidecay.ops.astype import Astype
from minidecay.ops.avg_pool2d import AvgPool2d
from minidecay.ops.base import Op
from minidecay.ops.batch_norm import BatchNorm
from minidecay.ops.batch_norm_inference import BatchNormInference
from minidecay.ops.concatenate import Concatenate
from minidecay.ops.conv2d import Conv2d
from minidecay.ops.cross_entropy import CrossEntropy
from minidecay.ops.div import Div
from minidecay.ops.dropout import Dropout
from minidecay.ops.exp import Exp
from minidecay.ops.getitem import Getitem
from minidecay.ops.global_avg_pool2d import GlobalAvgPool2d
from minidecay.ops.linear import Linear
from minidecay.ops.log import Log
from minidecay.ops.log_softmax import LogSoftmax
from minidecay.ops.matmul import Matmul
from minidecay.ops.max import Max
from minidecay.ops.max_pool2d import MaxPool2d
from minidecay.ops.maximum import Maximum
from minidecay.ops.mean import Mean
from minidecay.ops.mul import Mul
from minidecay.ops.neg import Neg
from minidecay.ops.pow import Pow
from minidecay.ops.relu import Relu
from minidecay.ops.reshape import Reshape
from minidecay.ops.sigmoid import Sigmoid
from minidecay.ops.sqrt import Sqrt
from minidecay.ops.stack import Stack
from minidecay.ops.sub import Sub
from minidecay.ops.sum import Sum
from minidecay.ops.tanh import Tanh
from minidecay.ops.transpose import Transpose
from minidecay.ops.var import Var
from minidecay.ops.where import Where

__all__ = [
    "Abs",
    "Add",
    "Astype",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormInference",
    "Concatenate",
    "Conv2d",
    "CrossEntropy",
    "Div",
    "Dropout",
    "Exp",
    "Getitem",
    "GlobalAvgPool2d",
    "Linear",
    "Log",
    "LogSoftmax",
    "Matmul",
    "Max",
    "MaxPool2d",
    "Maximum",
    "Mean",
    "Mul",
    "Neg",
    "Op",
    "Pow",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Sqrt",
    "Stack",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "Var",
    "Where",
]
