"""SOAP: Adam in bases of its own, whatever the coordinates."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from soap import Soap


def soap_path(gradients, shape):
    """Where SOAP ends that starts at 0 and sees these gradients."""
    w = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    optimiser = Soap([w], lr=0.1)
    for g in gradients:
        w.grad = g.reshape(shape)
        optimiser.step()
    return w.detach()


def test_soap_is_adam_where_the_axes_are_the_bases():
    torch.manual_seed(0)
    gradients = [torch.diag(torch.tensor([3.0, 1.0, 0.3]).double() * (1 + torch.rand(3))) for _ in range(25)]
    w = torch.nn.Parameter(torch.zeros(3, 3, dtype=torch.float64))
    adam = torch.optim.Adam([w], lr=0.1, betas=(0.95, 0.95))
    for g in gradients[1:]:  # the first only fills SOAP's factors
        w.grad = g
        adam.step()
    torch.testing.assert_close(soap_path(gradients, (3, 3)), w.detach())


def test_soap_goes_the_same_way_in_turned_coordinates():
    torch.manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0] for _ in range(2))
    gradients = [torch.randn(4, 4, dtype=torch.float64) * torch.arange(1, 5) for _ in range(25)]
    path = soap_path(gradients, (4, 1, 2, 2)).flatten(1)
    torch.testing.assert_close(left @ path @ right, soap_path([left @ g @ right for g in gradients], (4, 1, 2, 2)).flatten(1))
    assert path.norm() > 1
