"""Operations, one a file: the formula, the check, forward and backward, read top to bottom."""

from minidecay.ops.abs import Abs
from minidecay.ops.add import Add
from minidecay.ops.argmax import Argmax
from minidecay.ops.argmin import Argmin
from minidecay.ops.astype import Astype
from minidecay.ops.avg_pool2d import AvgPool2d
from minidecay.ops.base import Op
from minidecay.ops.batch_norm import BatchNorm
from minidecay.ops.batch_norm_inference import BatchNormInference
from minidecay.ops.binary_cross_entropy_with_logits import BinaryCrossEntropyWithLogits
from minidecay.ops.clip import Clip
from minidecay.ops.concatenate import Concatenate
from minidecay.ops.conv2d import Conv2d
from minidecay.ops.conv_transpose2d import ConvTranspose2d
from minidecay.ops.cross_entropy import CrossEntropy
from minidecay.ops.div import Div
from minidecay.ops.dropout import Dropout
from minidecay.ops.elu import Elu
from minidecay.ops.embedding import Embedding
from minidecay.ops.exp import Exp
from minidecay.ops.expand import Expand
from minidecay.ops.flip import Flip
from minidecay.ops.gelu import Gelu
from minidecay.ops.getitem import Getitem
from minidecay.ops.global_avg_pool2d import GlobalAvgPool2d
from minidecay.ops.layer_norm import LayerNorm
from minidecay.ops.leaky_relu import LeakyRelu
from minidecay.ops.linear import Linear
from minidecay.ops.log import Log
from minidecay.ops.log_softmax import LogSoftmax
from minidecay.ops.logsumexp import Logsumexp
from minidecay.ops.matmul import Matmul
from minidecay.ops.max import Max
from minidecay.ops.max_pool2d import MaxPool2d
from minidecay.ops.maximum import Maximum
from minidecay.ops.mean import Mean
from minidecay.ops.min import Min
from minidecay.ops.minimum import Minimum
from minidecay.ops.mse_loss import MseLoss
from minidecay.ops.mul import Mul
from minidecay.ops.neg import Neg
from minidecay.ops.nll_loss import NllLoss
from minidecay.ops.pad import Pad
from minidecay.ops.pow import Pow
from minidecay.ops.prod import Prod
from minidecay.ops.relu import Relu
from minidecay.ops.reshape import Reshape
from minidecay.ops.sigmoid import Sigmoid
from minidecay.ops.silu import Silu
from minidecay.ops.softmax import Softmax
from minidecay.ops.softplus import Softplus
from minidecay.ops.split import Split
from minidecay.ops.sqrt import Sqrt
from minidecay.ops.squeeze import Squeeze
from minidecay.ops.stack import Stack
from minidecay.ops.std import Std
from minidecay.ops.sub import Sub
from minidecay.ops.sum import Sum
from minidecay.ops.tanh import Tanh
from minidecay.ops.transpose import Transpose
from minidecay.ops.unsqueeze import Unsqueeze
from minidecay.ops.var import Var
from minidecay.ops.where import Where

__all__ = [
    "Abs",
    "Add",
    "Argmax",
    "Argmin",
    "Astype",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormInference",
    "BinaryCrossEntropyWithLogits",
    "Clip",
    "Concatenate",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropy",
    "Div",
    "Dropout",
    "Elu",
    "Embedding",
    "Exp",
    "Expand",
    "Flip",
    "Gelu",
    "Getitem",
    "GlobalAvgPool2d",
    "LayerNorm",
    "LeakyRelu",
    "Linear",
    "Log",
    "LogSoftmax",
    "Logsumexp",
    "Matmul",
    "Max",
    "MaxPool2d",
    "Maximum",
    "Mean",
    "Min",
    "Minimum",
    "MseLoss",
    "Mul",
    "Neg",
    "NllLoss",
    "Op",
    "Pad",
    "Pow",
    "Prod",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Stack",
    "Std",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Var",
    "Where",
]
