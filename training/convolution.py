"""A convolution whose slopes are cheap on a CPU, which is where most of a step goes.

PyTorch leaves them to oneDNN. Those of a depthwise convolution take it 16 times as long as the convolution itself, most of it for the
weights: here their slope is a sum of products a tap. Those of a pointwise one do not use AMX: here they are matrix products, of bfloat16
where the machine has tiles for it. What comes forth is float32 either way (bfloat16 would round latents of 200 to whole steps); slopes
are those of a few crops, noise to begin with, and 0.4 % of them is error then. Other convolutions and devices have PyTorch's own.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILES = bool(getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16"))  # older PyTorch cannot tell


def _rows(t: Tensor) -> Tensor:
    """(B, C, h, w) in channels_last -> (B h w, C), the same memory."""
    return t.permute(0, 2, 3, 1).reshape(-1, t.shape[1])


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, half: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.half = half
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        out, known, matrix = _rows(slope), _rows(x), weight[:, :, 0, 0]
        by_bias = out.sum(0)
        if ctx.half:
            out, known, matrix = out.bfloat16(), known.bfloat16(), matrix.bfloat16()
        by_weight = (out.T @ known).to(weight.dtype)[:, :, None, None]
        b, _, h, w = x.shape
        by_x = (out @ matrix).to(x.dtype).view(b, h, w, -1).permute(0, 3, 1, 2) if ctx.needs_input_grad[0] else None
        return by_x, by_weight, by_bias, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        side, (h, w) = weight.shape[-1], x.shape[2:]
        margin = side // 2
        by_x = F.conv2d(slope, weight.flip(2, 3), padding=margin, groups=len(weight)) if ctx.needs_input_grad[0] else None
        wide = F.pad(x, (margin,) * 4).permute(0, 2, 3, 1).contiguous()
        out = slope.permute(0, 2, 3, 1)
        # Rows first: torch.compile makes one loop of all taps, and few terms lose few digits.
        taps = [(wide[:, i : i + h, j : j + w] * out).sum(2) for i in range(side) for j in range(side)]
        return by_x, torch.stack(taps).sum((1, 2)).T.reshape(weight.shape), out.sum((0, 1, 2))


class Convolution(nn.Conv2d):
    """nn.Conv2d; where it is trained on a CPU, slopes of pointwise and of depthwise odd-sided convolutions by the functions above."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.device.type == "cpu":
            if self.kernel_size == (1, 1) and self.groups == 1:
                return _Pointwise.apply(x, self.weight, self.bias, TILES)
            if self.groups == self.in_channels == self.out_channels > 1 and self.padding[0] == self.kernel_size[0] // 2:
                return _Depthwise.apply(x, self.weight, self.bias)
        return super().forward(x)
