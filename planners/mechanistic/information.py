"""How much a measurement is expected to tell about a mechanism's parameters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["InformationGain", "share_explained"]

_HALF_LOG_TAU = 0.5 * float(np.log(2.0 * np.pi))

_CHUNK = 256
"""Candidates whose gains are worked out at a time."""


class InformationGain:
    """Expected information gain of batches, in nats, built up one measurement after the other.

    The prior-contrastive estimator (Foster, Jankowiak, O'Meara, Teh, Rainforth, AISTATS 2020, eq. 14) over draws of the
    parameters: a result is made up from each draw, and compared with what all draws make of it. A lower bound that
    can't exceed the logarithm of the number of draws.

    Args:
        draws: S, how many.
    """

    def __init__(self, draws: int) -> None:
        self._told = torch.zeros(draws, draws, dtype=torch.double)
        self.gain = 0.0

    def gains(self, means: Tensor, noise: Tensor) -> Tensor:
        """What each candidate would add to what the measurements so far tell: S x n, S x n -> (n,).

        Args:
            means: of a result, by draw.
            noise: its standard deviation, by draw.
        """
        parts = []
        for at in range(0, means.shape[1], _CHUNK):
            told = self._told[:, :, None] + _compared(means[:, at : at + _CHUNK], noise[:, at : at + _CHUNK])
            parts.append(_contrast(told))
        return torch.cat(parts) - self.gain

    def measure(self, means: Tensor, noise: Tensor) -> None:
        """Take one measurement in: (S,), (S,)."""
        self._told = self._told + _compared(means[:, None], noise[:, None])[:, :, 0]
        self.gain = float(_contrast(self._told[:, :, None])[0])


def _compared(means: Tensor, noise: Tensor) -> Tensor:
    """Log density, under every draw k, of a result made up from every draw m: S (m) x S (k) x n."""
    # the same made-up errors for all candidates: their differences are then no noise
    errors = torch.distributions.Normal(0.0, 1.0).icdf(
        ((torch.arange(len(means), dtype=torch.double) * 0.6180339887498949 + 0.5) % 1.0).clamp(
            1e-4, 1.0 - 1e-4
        )
    )
    results = means + noise * errors[torch.randperm(len(means))][:, None]
    away = (results[:, None, :] - means[None, :, :]) / noise[None, :, :]
    return -0.5 * away**2 - noise[None, :, :].log() - _HALF_LOG_TAU


def _contrast(told: Tensor) -> Tensor:
    """Mean over draws of log density under the own draw, less that under all: S x S x n -> (n,)."""
    own = told.diagonal(dim1=0, dim2=1).T
    return (own - torch.logsumexp(told, dim=1) + float(np.log(len(told)))).mean(dim=0)


def share_explained(parameter: Tensor, means: Tensor, noise: Tensor) -> float:
    """Share of a parameter's variance that one result takes away, as a straight line through the draws has it: (S,) each."""
    away, result = parameter - parameter.mean(), means - means.mean()
    spread = float(away.square().mean())
    total = float(result.square().mean() + noise.square().mean())
    if spread <= 0.0 or total <= 0.0:
        return 0.0
    return float((away * result).mean()) ** 2 / (spread * total)
