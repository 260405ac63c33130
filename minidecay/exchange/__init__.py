"""To and from files, torch and other array libraries.

`saving` writes named arrays to a file and reads them back, `torch_weights` turns weights between
torch's layouts and ours, `dlpack` shares memory with other libraries.
"""

from minidecay.exchange.dlpack import from_dlpack
from minidecay.exchange.saving import Saved, load, save
from minidecay.exchange.torch_weights import from_torch, to_torch

__all__ = ["Saved", "from_dlpack", "from_torch", "load", "save", "to_torch"]
