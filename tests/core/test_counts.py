"""Count observations against sums over a grid of states: independent of particles, in plain numpy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from tests.core import build
from tests.core.build import run

from neurito.core.observations import NegativeBinomial, Observation, Poisson, Scene
from neurito.core.scan import Inference
from neurito.data import Trials

pytestmark = pytest.mark.usefixtures("x64")

EXACT = build.linear_gaussian(seed=2, latents=1, channels=3, noise=0.3)
BIN = 0.02
MANY = Inference(particles=20_000)
LINKS: dict[str, Any] = {"exp": np.exp, "softplus": lambda x: np.logaddexp(0, x)}


def counts(bins: int = 8) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.poisson(LINKS["softplus"](EXACT.d) + 0.3, (2, bins, 3))


def recording(dt: Any = BIN, missing: np.ndarray | None = None) -> Trials:
    values = counts().astype(float)
    if missing is not None:
        values[missing] = np.nan
    return Trials.from_array(values, bin_width=dt, kind="counts", missing="nan")


def observation(kind: str, link: str, regular: bool = True) -> Observation:
    if kind == "poisson":
        return Poisson(build.affine(EXACT), link, BIN, regular)
    return NegativeBinomial(build.affine(EXACT), link, BIN, regular, 3, 4.0)


def log_density(kind: str, y: np.ndarray, rate: np.ndarray) -> np.ndarray:
    if kind == "poisson":
        return stats.poisson.logpmf(y, rate)
    return stats.nbinom.logpmf(y, 4.0, 4.0 / (4.0 + rate))


def grid_filter(kind: str, link: str, trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood per bin and filter mean, (trial, time)."""
    grid = np.linspace(-6, 6, 1501)
    step = grid[1] - grid[0]
    move = stats.norm.pdf(grid, EXACT.A[0, 0] * grid[:, None] + EXACT.b[0], EXACT.Q[0, 0] ** 0.5) * step
    eta = grid[:, None] * EXACT.H[:, 0] + EXACT.d
    increments, means = np.zeros((2, trials.exists.shape[0], trials.exists.shape[1]))
    for trial in range(trials.n_trials):
        p = stats.norm.pdf(grid, EXACT.mu[0], EXACT.S[0, 0] ** 0.5) * step
        for t in range(trials.n_bins):
            if t:
                p = p @ move
            rate = LINKS[link](eta) * trials.dt[trial, t] / BIN
            y, read = trials.main.values[trial, t], trials.main.read[trial, t]
            terms = np.where(read, log_density(kind, np.nan_to_num(y), rate), 0)
            p = p * np.exp(terms.sum(-1))
            increments[trial, t] = np.log(p.sum())
            p /= p.sum()
            means[trial, t] = p @ grid
    return increments, means


@pytest.mark.parametrize(
    ("kind", "link", "guide"),
    [
        ("poisson", "softplus", "encoder"),
        ("poisson", "exp", "bootstrap"),
        ("negative_binomial", "softplus", "bootstrap"),
        ("negative_binomial", "exp", "encoder"),
    ],
)
def test_filter_and_likelihood_agree_with_the_grid(kind: str, link: str, guide: str) -> None:
    missing = np.random.default_rng(1).uniform(size=counts().shape) < 0.2
    trials = recording(missing=missing)
    model = build.model(build.linear(EXACT), observation(kind, link), guide, "spikes")
    outcome = run(model, build.batch(trials), jax.random.key(0), inference=MANY, record=True)
    increments, means = grid_filter(kind, link, trials)
    np.testing.assert_allclose(outcome.increments, increments, rtol=0.01, atol=0.04)
    w = jax.nn.softmax(outcome.record.log_w, -1)
    np.testing.assert_allclose((w * outcome.record.z[..., 0]).sum(-1).T, means, atol=0.05)


@pytest.mark.parametrize("kind", ["poisson", "negative_binomial"])
def test_bins_of_other_widths_expect_counts_in_proportion(kind: str) -> None:
    dt = np.random.default_rng(2).uniform(0.5, 2, counts().shape[:2]) * BIN
    trials = recording(dt)
    model = build.model(build.linear(EXACT), observation(kind, "softplus", False), "bootstrap", "spikes")
    outcome = run(model, build.batch(trials), jax.random.key(0), inference=MANY)
    np.testing.assert_allclose(
        outcome.increments, grid_filter(kind, "softplus", trials)[0], rtol=0.01, atol=0.04
    )
    expected = model.heads["spikes"].mean(Scene(model.dynamics, build.batch(trials)), jnp.zeros((2, 8, 1, 1)))
    np.testing.assert_allclose(expected[:, :, 0], LINKS["softplus"](EXACT.d) * dt[..., None] / BIN, atol=1e-5)
