"""A stand-in for torch.cuda: the host's tensors, and graphs that are replayed by doing nothing.

It runs the lines that measure torch on a GPU; the times are worth nothing.
"""

from contextlib import contextmanager, nullcontext

import pytest

VERSION = "13.0 (stand-in)"


class CUDAGraph:
    captured = False

    def replay(self):
        assert self.captured


@contextmanager
def graph(captured):
    yield
    captured.captured = True


@contextmanager
def seen():
    """Within it torch sees a GPU, whose memory is the host's."""
    import torch

    from benchmarks import torch_side

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_side, "GPU", "cpu")
        patch.setattr(torch.version, "cuda", VERSION)
        patch.setattr(torch, "compile", lambda function: function)
        patch.setattr(torch.backends.cudnn, "version", lambda: None)
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "empty_cache", lambda: None)
        patch.setattr(torch.cuda, "ExternalStream", lambda ptr: None)
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        patch.setattr(torch.cuda, "CUDAGraph", CUDAGraph)
        patch.setattr(torch.cuda, "graph", graph)
        yield torch
