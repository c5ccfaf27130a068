"""What a candidate is worth measuring, on the scale the Gaussian process works on, where more is better."""

import numpy as np
from scipy.special import erfcx, log_ndtr

__all__ = ["log_expected_improvement", "upper_confidence_bound"]

_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)


def upper_confidence_bound(mean: np.ndarray, sd: np.ndarray, beta: float) -> np.ndarray:
    """``mean + sqrt(beta) sd``, elementwise."""
    bound: np.ndarray = mean + np.sqrt(beta) * sd
    return bound


def log_expected_improvement(mean: np.ndarray, sd: np.ndarray, incumbent: float) -> np.ndarray:
    """Logarithm of the expected improvement over ``incumbent``, finite however small that is; elementwise.

    With u = (mean - incumbent) / sd, it is ``log sd + log(phi(u) + u Phi(u))``. Below u = -1 that sum cancels; there
    ``log phi(u) + log(1 + u Phi(u) / phi(u))``, with Phi / phi from the scaled complementary error function, keeps its
    digits, and below -1e3 its second part is ``-2 log|u|`` to six of them (Ament et al., NeurIPS 2023, "Unexpected
    improvements to expected improvement", section 4).
    """
    u = (mean - incumbent) / sd
    log_phi = -0.5 * u**2 - _LOG_SQRT_2PI
    near = np.maximum(u, -1.0)
    direct = np.log(np.exp(-0.5 * near**2 - _LOG_SQRT_2PI) + near * np.exp(log_ndtr(near)))
    far = np.clip(u, -1e3, -1.0)
    ratio = np.sqrt(np.pi / 2.0) * erfcx(-far / np.sqrt(2.0))
    cancelled = log_phi + np.log1p(far * ratio)
    limit = log_phi - 2.0 * np.log(np.maximum(np.abs(u), 1.0))
    log_h = np.where(u > -1.0, direct, np.where(u > -1e3, cancelled, limit))
    result: np.ndarray = np.log(sd) + log_h
    return result
