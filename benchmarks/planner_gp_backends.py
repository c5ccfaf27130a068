"""The default planner beside a Gaussian process of BoTorch's in two settings.

All choose with a kriging believer from the same random first twelve; BoTorch's processes see half-rank warped values and
choose by UCB with beta 2, the planner is as shipped. Reported: the time of one ask, the memory of a process that only asks,
and what 48 experiments find on the development sets (``development_sets.py``). These are the sets that the planner was
tuned on: the comparison says which to build on, not how well it does elsewhere.

Run: python -m benchmarks.planner_gp_backends
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import models
import planners
from benchmarks.development_sets import Pool, development_sets
from benchmarks.machine import keep, machine
from benchmarks.replay import at_random, campaign_of, measure, reader
from lab.errors import MissingData
from lab.types import Campaign, Experiment, History, Proposal, Reason, new_id
from planners.acquisition import upper_confidence_bound
from planners.warp import make_warp

BACKENDS = {
    "own": "default planner: own GPs and a forest",
    "botorch": "BoTorch SingleTaskGP, its default",
    "botorch_gamma": "BoTorch SingleTaskGP, Matern-5/2, Gamma",
}
BATCH, BUDGET, SEEDS = 12, 48, 5
LATENCY_POOL, LATENCY_MEASURED, LATENCY_ROUNDS = 813, 96, 5


class BoTorchChoice:
    """The same ask with a BoTorch model, each column a dimension with a lengthscale of its own."""

    name = "botorch"

    def __init__(self, gamma: bool) -> None:
        self.gamma = gamma

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        del pending, rng
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.utils.gpytorch_modules import get_matern_kernel_with_gamma_prior
        from gpytorch.mlls import ExactMarginalLogLikelihood

        pool = campaign.candidates
        names = ["one_hot", "z_scales"] if pool[0].sequence else ["named_values"]
        columns = np.hstack([models.encoder(name, pool=pool).encode(pool) for name in names])
        columns = (columns - columns.min(axis=0)) / np.maximum(np.ptp(columns, axis=0), 1e-12)
        row_of = {candidate.id: row for row, candidate in enumerate(pool)}
        rows = np.array([row_of[e.candidate.id] for e, _ in history.usable("y")])
        values = np.array([o.value for _, o in history.usable("y")])
        warped = make_warp("half_rank", values, 1.0).forward(values)
        x = torch.tensor(columns)
        y = torch.tensor((warped - warped.mean()) / warped.std())[:, None]
        kernel = get_matern_kernel_with_gamma_prior(columns.shape[1]) if self.gamma else None
        model = SingleTaskGP(x[rows], y, covar_module=kernel, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            posterior = model.posterior(x)
            mean = posterior.mean[:, 0].numpy()
            covariance = posterior.distribution.covariance_matrix.numpy().copy()
        noise = float(model.likelihood.noise.detach().mean())
        chosen = _believe_and_choose(n, mean, covariance, noise, np.setdiff1d(np.arange(len(pool)), rows))
        reason = Reason(planner=self.name, sentence="For the comparison.")
        return Proposal(
            experiments=tuple(
                Experiment(id=new_id("exp"), candidate=pool[row], reason=reason) for row in chosen
            )
        )


def _believe_and_choose(
    n: int, mean: np.ndarray, covariance: np.ndarray, noise: float, free: np.ndarray
) -> list[int]:
    """UCB with beta 2, each choice taken as measured at its mean before the next."""
    chosen: list[int] = []
    for _ in range(n):
        sd = np.sqrt(np.maximum(np.diag(covariance)[free], 1e-10))
        row = int(free[np.argmax(upper_confidence_bound(mean[free], sd, 2.0))])
        direction = covariance[row] / np.sqrt(covariance[row, row] + noise)
        covariance -= np.outer(direction, direction)
        free = free[free != row]
        chosen.append(row)
    return chosen


def make(backend: str) -> Any:
    """The planner or its stand-in."""
    return planners.planner("adaptive") if backend == "own" else BoTorchChoice(backend == "botorch_gamma")


def found(pool: Pool, backend: str, seed: int) -> tuple[float, float]:
    """Best true value as a share of the way from the median to the maximum, and the share of the top 5 % found."""
    campaign, read = campaign_of(pool, pool.candidates), reader(pool, seed)
    history = measure(History(), at_random(pool.candidates, BATCH, seed), read, pool.error)
    planner = make(backend) if backend != "random" else None
    if planner is None:
        history = measure(History(), at_random(pool.candidates, BUDGET, seed), read, pool.error)
    while planner is not None and len(history.experiments) < BUDGET:
        rng = np.random.default_rng([seed, len(history.experiments)])
        history = measure(
            history, planner.ask(BATCH, campaign, history, (), rng).experiments, read, pool.error
        )
    value_of = dict(zip((c.id for c in pool.candidates), pool.values, strict=True))
    got = np.array([value_of[e.candidate.id] for e in history.experiments])
    top = np.sort(pool.values)[-round(0.05 * len(pool.values)) :]
    middle = float(np.median(pool.values))
    share = (got.max() - middle) / (pool.values.max() - middle)
    return float(share), float((got >= top[0]).sum() / min(len(top), BUDGET))


def one_backend(backend: str) -> dict[str, Any]:
    """Everything measured of one backend; the caller gives it a process of its own."""
    pools = development_sets()
    window = pools[-1]
    kept = np.sort(np.random.default_rng(0).choice(len(window.candidates), LATENCY_POOL, replace=False))
    candidates = [window.candidates[i] for i in kept]
    campaign = campaign_of(window, candidates)
    history = measure(History(), at_random(candidates, LATENCY_MEASURED, 0), reader(window, 0), window.error)
    seconds: list[float] = []
    if backend != "random":
        planner = make(backend)
        for repeat in range(LATENCY_ROUNDS + 1):
            begun = time.perf_counter()
            planner.ask(BATCH, campaign, history, (), np.random.default_rng(repeat))
            seconds.append(time.perf_counter() - begun)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scores = {pool.name: [found(pool, backend, seed) for seed in range(SEEDS)] for pool in pools}
    return {
        "first_s": seconds[0] if seconds else 0.0,
        "ask_s": seconds[1:],
        "memory_mb": memory_mb,
        "scores": scores,
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """What is printed and kept."""
    lines = [
        "Gaussian-process backends of the planner, on development sets (tuned on, not judged on)",
        machine(),
        "",
        f"One ask: {BATCH} of {LATENCY_POOL} single-substitution variants with {LATENCY_MEASURED} measured",
        f"{'':44}{'median s':>10}{'first s':>10}{'peak MB':>10}",
    ]
    for backend, label in BACKENDS.items():
        r = results[backend]
        lines.append(
            f"{label:44}{statistics.median(r['ask_s']):10.3f}{r['first_s']:10.3f}{r['memory_mb']:10.0f}"
        )
    lines += [
        "",
        f"{BUDGET} experiments, {BATCH} random then batches of {BATCH}, mean of {SEEDS} seeds:",
        "best found (0 median, 1 maximum) / share of the top 5 % found (of the set, or of the budget where that is less)",
        f"{'':22}" + "".join(f"{name:>16}" for name in (*BACKENDS, "random")),
    ]
    sets = list(results["own"]["scores"])
    for name in sets:
        cells = [np.mean(results[b]["scores"][name], axis=0) for b in (*BACKENDS, "random")]
        lines.append(f"{name:22}" + "".join(f"{best:9.3f} /{top:5.2f}" for best, top in cells))
    cells = [
        np.mean([np.mean(results[b]["scores"][name], axis=0) for name in sets], axis=0)
        for b in (*BACKENDS, "random")
    ]
    lines.append(f"{'mean':22}" + "".join(f"{best:9.3f} /{top:5.2f}" for best, top in cells))
    return "\n".join(lines)


def main() -> None:
    """Each backend in a process of its own, one after the other."""
    if len(sys.argv) > 1:
        print(json.dumps(one_backend(sys.argv[1])))
        return
    try:
        development_sets()
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)
    results = {}
    for backend in (*BACKENDS, "random"):
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.planner_gp_backends", backend]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        results[backend] = json.loads(output.splitlines()[-1])
    keep("planner_gp_backends", table(results))


if __name__ == "__main__":
    main()
