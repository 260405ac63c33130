"""Models, made whole from a few numbers."""

from minidecay.models.networks import mlp, small_cnn

__all__ = ["mlp", "small_cnn"]
