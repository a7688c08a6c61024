"""Scoring after the scan, and decoders of whole trajectories."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm, poisson
from tests.core import build
from tests.core.build import recording, run

from neurito.core.batch import Batch
from neurito.core.drifts import Perceptron as Network
from neurito.core.dynamics import SDE
from neurito.core.dynamics.sde import Constant
from neurito.core.guides import Bootstrap
from neurito.core.noise import Covariance
from neurito.core.observations import Affine, Gaussian, Perceptron, Poisson, Scene, Transformer
from neurito.core.scan import Inference, Model
from neurito.data import Trials
from neurito.errors import NeuritoError

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
LATENTS, COUNTS, VALUES, BINS = 2, 4, 3, 6
LENGTHS = np.array([6, 4, 1])
IWAE = Inference(particles=5, objective="iwae", resampling="none")
ELBO = Inference(particles=5, objective="elbo", resampling="none")


def sde(substeps: int = 1) -> SDE:
    return SDE(
        Network(LATENTS, (5,), key=KEY), Constant(LATENTS, 0.5), Covariance("diagonal", LATENTS),
        bin_width=0.01, time_constant=0.1, substeps=substeps,
    )  # fmt: skip


def trials() -> Trials:
    """Counts and continuous values, missing ones, trials of unequal length."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, BINS, VALUES))
    values[0, 2] = values[1, 1, 0] = np.nan
    counts = Trials.from_array(rng.poisson(1.0, (3, BINS, COUNTS)), bin_width=0.01, lengths=LENGTHS)
    signal = recording(values, lengths=LENGTHS).main
    return counts.with_head("signal", signal).hold_out(channels=[1], head="spikes")


def heads(readout: str = "mlp") -> dict[str, Any]:
    def eta(channels: int, seed: int) -> Any:
        key, bias = jax.random.key(seed), jnp.full(channels, 0.3)
        if readout == "affine":
            return Affine(LATENTS, channels, 1, key=key, bias=bias)
        if readout == "mlp":
            return Perceptron(LATENTS, (6,), channels, 1, key=key, bias=bias)
        return Transformer(LATENTS, 4, 2, 5, channels, 1, key=key, bias=bias)

    return {
        "spikes": Poisson(eta(COUNTS, 1), "exp", 0.01, True),
        "signal": Gaussian(eta(VALUES, 2), 0.4, (1, VALUES)),
    }


def by_hand(model: Model, data: Trials, z: np.ndarray) -> np.ndarray:
    """log p of every bin (trial, time, particle) from SciPy's densities, given the trajectories."""
    scene = Scene(model.dynamics, build.batch(data))
    total = np.zeros(z.shape[:3])
    for name, head in data.heads.items():
        mean = np.asarray(model.heads[name].mean(scene, jnp.asarray(z)))
        y = np.nan_to_num(head.values)[:, :, None]
        log_p = poisson.logpmf(y, mean) if head.kind == "counts" else norm.logpdf(y, mean, 0.4)
        total += np.where((head.read & data.exists[..., None])[:, :, None], log_p, 0).sum(-1)
    return total


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("readout", ["affine", "mlp", "transformer"])
def test_importance_weights_by_hand(readout: str, substeps: int) -> None:
    """With the prior as guide a weight is the likelihood of the whole trajectory."""
    model = Model(sde(substeps), heads(readout), Bootstrap(), None)
    out = run(model, build.batch(trials()), KEY, inference=IWAE, record=True)
    z = np.moveaxis(np.asarray(out.record.z), 0, 1)
    log_w = by_hand(model, trials(), z).cumsum(1)
    np.testing.assert_allclose(np.moveaxis(np.asarray(out.record.log_w), 0, 1), log_w, rtol=1e-9)
    np.testing.assert_allclose(out.bound, logsumexp(log_w[:, -1], axis=-1) - np.log(5), rtol=1e-9)


@pytest.mark.parametrize("substeps", [1, 3])
def test_scoring_after_the_scan_is_scoring_inside(substeps: int) -> None:
    """A threshold of 0 never resamples, but scores within the scan."""
    model, batch = Model(sde(substeps), heads(), Bootstrap(), None), build.batch(trials())
    inside = run(model, batch, KEY, inference=Inference(particles=5, threshold=0.0), record=True)
    after = run(model, batch, KEY, inference=IWAE, record=True)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), inside, after)
    elbo = run(model, batch, KEY, inference=ELBO).bound
    np.testing.assert_allclose(elbo, after.record.log_w[-1].mean(-1), rtol=1e-9)


def test_a_whole_trajectory_does_not_exist_while_particles_are_resampled() -> None:
    model = Model(sde(), heads("transformer"), Bootstrap(), None)
    with pytest.raises(NeuritoError, match=r"is decoded from the whole trajectory.*'elbo' or 'iwae'"):
        run(model, build.batch(trials()), KEY, inference=Inference(particles=3))


# The Transformer itself


def transformer(**options: Any) -> Transformer:
    return Transformer(LATENTS, 4, 2, 5, COUNTS, 1, key=KEY, bias=jnp.zeros(COUNTS), **options)


def decoded(readout: Transformer, batch: Batch, z: np.ndarray) -> np.ndarray:
    return np.asarray(_decoded(readout, sde(), batch, z))


@jax.jit
def _decoded(readout: Transformer, dynamics: SDE, batch: Batch, z: jax.Array) -> jax.Array:
    context, eta = readout.prepare(Scene(dynamics, batch))
    return eta(context, z)


def trajectories(bins: int = BINS) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, bins, 2, LATENTS))


@pytest.mark.parametrize("fixup", [False, True])
def test_bins_permute_without_a_positional_code(fixup: bool) -> None:
    z, batch = trajectories(), build.batch(recording(np.zeros((3, BINS, 1))))
    order = np.random.default_rng(2).permutation(BINS)
    plain = transformer(fixup=fixup)
    np.testing.assert_allclose(
        decoded(plain, batch, z[:, order]), decoded(plain, batch, z)[:, order], atol=1e-12
    )
    told = transformer(fixup=fixup, positional=True)
    moved = np.asarray(decoded(told, batch, z[:, order]) - decoded(told, batch, z)[:, order])
    assert abs(moved).max() > 1e-3


def test_padding_does_not_influence_a_trial() -> None:
    z = trajectories()
    whole = np.asarray(
        decoded(transformer(), build.batch(recording(np.zeros((3, BINS, 1)), lengths=LENGTHS)), z)
    )
    for trial, length in enumerate(LENGTHS):
        alone = build.batch(recording(np.zeros((1, length, 1))))
        expected = decoded(transformer(), alone, z[trial : trial + 1, :length])
        np.testing.assert_allclose(whole[trial, :length], expected[0], atol=1e-12)


def test_every_bin_looks_at_every_bin_and_no_particle_at_another() -> None:
    z, batch = trajectories(), build.batch(recording(np.zeros((3, BINS, 1))))
    moved = z.copy()
    moved[0, 3, 0] += 1
    change = np.asarray(abs(decoded(transformer(), batch, moved) - decoded(transformer(), batch, z))).max(-1)
    assert (change[0, :, 0] > 0).all()
    assert (change[0, :, 1] == 0).all()
    assert (change[1:] == 0).all()
