"""What a candidate is worth measuring, on the scale the Gaussian process works on, where more is better."""

import numpy as np
from scipy.special import erfcx, log_ndtr

__all__ = [
    "expected_hypervolume_gain",
    "log_expected_closeness",
    "log_expected_improvement",
    "log_interval",
    "upper_confidence_bound",
]

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


def log_interval(mean: np.ndarray, sd: np.ndarray, low: float, high: float) -> np.ndarray:
    """Log of the probability of lying between two bounds, finite however small that is; elementwise.

    Args:
        low, high: either may be infinite.
    """
    a, b = (low - mean) / sd, (high - mean) / sd
    flipped = a > 0.0
    a, b = np.where(flipped, -b, a), np.where(flipped, -a, b)
    above, below = log_ndtr(b), log_ndtr(a)
    gap = np.minimum(below - above, -1e-300)
    result: np.ndarray = above + np.log(-np.expm1(gap))
    return np.maximum(result, -1e6)


def log_expected_closeness(mean: np.ndarray, sd: np.ndarray, level: float, nearest: float) -> np.ndarray:
    """Log of the expected gain in distance to a level over the nearest so far; elementwise.

    The gain of an output y is ``max(0, nearest - |y - level|)``, a triangle whose expectation is a sum of three expected
    improvements: ``I(level - nearest) - 2 I(level) + I(level + nearest)`` with ``I(t) = E max(0, y - t)``. Where that
    cancels, the log of the probability to come nearer, which falls off alike, goes on from there.

    Args:
        nearest: smallest distance to the level so far, above 0.
    """
    corners = _improvement(mean[:, None], sd[:, None], level + nearest * np.array([-1.0, 0.0, 1.0]))
    gain = corners @ np.array([1.0, -2.0, 1.0])
    chance = log_interval(mean, sd, level - nearest, level + nearest) + np.log(nearest / 2.0)
    exact: np.ndarray = np.log(np.maximum(gain, 1e-300))
    small = 1e-9 * np.maximum(np.abs(mean - level) + sd, nearest)
    return np.where(gain > small, exact, np.minimum(chance, np.log(np.maximum(small, 1e-300))))


def expected_hypervolume_gain(
    means: np.ndarray, sds: np.ndarray, front: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Expected gain in the area that a set of points dominates, two independent objectives; exact, (n,).

    Cut into strips between the points of the front, the gain is a product of one expectation for each objective (Emmerich,
    Deutz and Klinkenberg, CEC 2011).

    Args:
        means, sds: n x 2.
        front: k x 2, larger is better; those not above the reference count for nothing.
        reference: (2,).
    """
    front = front[(front > reference).all(axis=1)]
    order = np.argsort(front[:, 0], kind="stable")
    first, second = front[order, 0], np.maximum.accumulate(front[order, 1][::-1])[::-1]
    lows = np.concatenate([[reference[0]], first])
    floors = np.concatenate([second, [reference[1]]])
    at_lows = _improvement(means[:, :1], sds[:, :1], lows)
    widths = at_lows - np.hstack([at_lows[:, 1:], np.zeros((len(means), 1))])
    heights = _improvement(means[:, 1:], sds[:, 1:], floors)
    gain: np.ndarray = np.einsum("ns,ns->n", widths, heights)
    return np.maximum(gain, 0.0)


def _improvement(mean: np.ndarray, sd: np.ndarray, over: np.ndarray) -> np.ndarray:
    """``E max(0, y - over)``, elementwise."""
    u = (mean - over) / sd
    value: np.ndarray = sd * (np.exp(-0.5 * u**2 - _LOG_SQRT_2PI) + u * np.exp(log_ndtr(u)))
    return np.maximum(value, 0.0)
