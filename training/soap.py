"""SOAP: Adam in the eigenbases of Shampoo's factors (Vyas et al. 2024, arXiv 2409.11321, algorithm 3)."""

from collections.abc import Iterable

import torch
from torch import Tensor

EVERY = 10  # steps from one look at the bases to the next (the paper's preconditioning frequency)


class Soap(torch.optim.Optimizer):
    """For weights (O, I, k, k), which it sees as matrices (O, I k k).

    L and R are moving averages of G G^T and G^T G of the gradients G. Adam's moments are kept, and its steps taken, in the bases of
    their eigenvectors, which follow by one step of orthogonal iteration every `EVERY` steps; the mean is turned with them. The first
    call only fills L and R.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.95, 0.95), eps: float = 1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self._step(w, w.grad.flatten(1), **group)

    def _step(self, w: Tensor, g: Tensor, *, lr: float, betas: tuple[float, float], eps: float, **_: object) -> None:
        left, right, (mean_beta, square_beta) = g @ g.T, g.T @ g, betas
        state = self.state[w]
        if not state:
            # By falling eigenvalue; in float64, because in float32 LAPACK gives up on some factors of rank 1.
            bases = (torch.linalg.eigh(factor.double())[1].flip(1).to(g.dtype) for factor in (left, right))
            state |= dict(zip(("left_basis", "right_basis"), bases, strict=True))
            state |= {"t": 0, "left": left, "right": right, "turned_mean": torch.zeros_like(g), "square": torch.zeros_like(g)}
            return
        state["t"] += 1
        u, v, mean, square = (state[name] for name in ("left_basis", "right_basis", "turned_mean", "square"))
        turned = u.T @ g @ v
        mean.lerp_(turned, 1 - mean_beta)
        square.lerp_(turned.square(), 1 - square_beta)
        unbiased = (square / (1 - square_beta ** state["t"])).sqrt()
        step = mean / (1 - mean_beta ** state["t"]) / (unbiased + eps)
        w.add_((u @ step @ v.T).reshape(w.shape), alpha=-lr)
        state["left"].lerp_(left, 1 - square_beta)
        state["right"].lerp_(right, 1 - square_beta)
        if state["t"] % EVERY == 1:
            mean = u @ mean @ v.T
            for axis, side in enumerate(("left", "right")):
                basis = state[f"{side}_basis"]
                iterated = state[side] @ basis
                order = (basis * iterated).sum(0).argsort(descending=True)  # of the eigenvalues as they are now
                state["square"] = state["square"].index_select(axis, order)
                state[f"{side}_basis"] = torch.linalg.qr(iterated[:, order])[0]
            state["turned_mean"] = state["left_basis"].T @ mean @ state["right_basis"]
