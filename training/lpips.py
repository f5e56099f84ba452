"""LPIPS of batches, to be trained on: the network that bench/lpips.py builds and cites, tests hold the two together.

Needs torch and onnx; the weights are those of `python -m bench.lpips`.
"""

from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

CONVOLUTIONS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))  # stride, padding, maximum before
EPSILON = 1e-10
STRIDE = 4  # of the first convolution


class Lpips(nn.Module):
    """LPIPS on AlexNet, with its weights fixed."""

    def __init__(self, network: Path):
        super().__init__()
        for tensor in onnx.load(str(network)).graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name != "epsilon":
                self.register_buffer(tensor.name, torch.from_numpy(numpy_helper.to_array(tensor).copy()))

    def features(self, x: Tensor) -> list[Tensor]:
        """Five layers of features (B, C, h, w) of pictures (B, 3, H, W) in [0, 1]: LPIPS is their squared distance."""
        found = []
        x = (255 * x - self.offset) * self.factor
        for k, (stride, padding, pooled) in enumerate(CONVOLUTIONS):
            x = F.max_pool2d(x, 3, 2) if pooled else x
            x = F.relu(F.conv2d(x, getattr(self, f"kernel{k}"), getattr(self, f"bias{k}"), stride, padding))
            length = (x.square().sum(1, keepdim=True) + EPSILON**2).sqrt()  # a root has no slope at 0
            found.append(x / (length + EPSILON) * getattr(self, f"root{k}"))
        return found

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """LPIPS (B,) of pictures (B, 3, H, W) in [0, 1].

        In training, the first rows and columns are left out at random, so that the codec's blocks do not learn where this network's
        first filters lie, which look at every fourth position only.
        """
        top, left = torch.randint(STRIDE, (2,)).tolist() if self.training else (0, 0)
        with torch.no_grad():
            originals = self.features(x[:, :, top:, left:])
        pairs = zip(originals, self.features(y[:, :, top:, left:]), strict=True)
        return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]).sum(0)
