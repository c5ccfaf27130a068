"""What a Gaussian process believes before anything is measured: of its parameters, and of the outputs' mean."""

from dataclasses import dataclass

import numpy as np

__all__ = ["GammaPrior", "LogNormalPrior", "Prior", "Trend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaPrior:
    """Gamma density; ``mode`` is given for one block and grows with the square root of their number."""

    shape: float
    mode: float
    grows: bool = True

    def log_density(self, value: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Log density up to a constant, and its derivative by log(value), elementwise."""
        rate = (self.shape - 1.0) / (self.mode * (np.sqrt(d) if self.grows else 1.0))
        return (self.shape - 1.0) * np.log(value) - rate * value, (self.shape - 1.0) - rate * value

    def start(self, d: int) -> float:
        """Where fits begin."""
        return float(self.mode * (np.sqrt(d) if self.grows else 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormalPrior:
    """Log-normal density with location ``loc + 0.5 ln d``.

    The defaults are BoTorch's for lengthscales (Hvarfner, Hellsten, Nardi, ICML 2024).
    """

    loc: float = float(np.sqrt(2.0))
    scale: float = float(np.sqrt(3.0))
    grows: bool = True

    def _centre(self, d: int) -> float:
        return self.loc + (0.5 * float(np.log(d)) if self.grows else 0.0)

    def log_density(self, value: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Log density up to a constant, and its derivative by log(value), elementwise."""
        u = (np.log(value) - self._centre(d)) / self.scale
        return -0.5 * u**2 - np.log(value), -u / self.scale - 1.0

    def start(self, d: int) -> float:
        """Where fits begin: the mode, kept where gradients do not vanish."""
        return float(np.clip(np.exp(self._centre(d) - self.scale**2), 0.1, 3.0))


Prior = GammaPrior | LogNormalPrior


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A mean that is proportional to a score known beforehand: ``slope * scores``, the slope normal.

    Args:
        scores: (N,), one a row of the pool, mean 0 and variance 1 over it; larger promises better.
        slope: its prior mean, in standard deviations of the outputs a standard deviation of the scores.
        sd: its prior standard deviation, in the same unit.
    """

    scores: np.ndarray
    slope: float = 0.4
    sd: float = 0.2

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Expected before anything is measured: (len(rows),)."""
        expected: np.ndarray = self.slope * self.scores[rows]
        return expected

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """What not knowing the slope adds: len(left) x len(right)."""
        return self.sd**2 * np.outer(self.scores[left], self.scores[right])
