"""Models, made whole from a few numbers."""

from minidecay.models.networks import mlp, small_cnn
from minidecay.models.residual import WideResNet, wide_resnet

__all__ = ["WideResNet", "mlp", "small_cnn", "wide_resnet"]
