"""Ranks of latents of a model whose posterior is known: right, too narrow, and a bin late."""

import numpy as np
import pytest

from neurito.errors import NeuritoError
from neurito.evaluation import Ranks, path_quantities, ranks_of

RNG = np.random.default_rng(0)
TIMES = np.arange(8)
PRIOR = 0.8 ** np.abs(TIMES[:, None] - TIMES)  # of a stationary path
NOISE = 0.5
GAIN = PRIOR @ np.linalg.inv(PRIOR + NOISE**2 * np.eye(8))
ROOT = np.linalg.cholesky(PRIOR - GAIN @ PRIOR + 1e-12 * np.eye(8))
X = RNG.standard_normal((500, 8)) @ np.linalg.cholesky(PRIOR).T
Y = X + NOISE * RNG.standard_normal(X.shape)
Z = (Y @ GAIN.T)[:, :, None] + np.einsum("ij,njs->nis", ROOT, RNG.standard_normal((500, 8, 63)))


def calibrated(samples: np.ndarray) -> Ranks:
    at = (0, 4, -1)
    return ranks_of(path_quantities(X[..., None], at), path_quantities(samples[..., None], at))


def test_an_exact_posterior_is_within_the_band() -> None:
    found = calibrated(Z)
    assert found.names == ("z1 in bin 0", "z1 in bin 4", "z1 in bin 7", "mean of z1", "roughness of z1")
    assert found.samples == 63
    assert found.within(0.995, 16).all()
    assert min(test.p for test in found.uniformity(16)) > 0.001


@pytest.mark.parametrize(
    "spoil",
    [
        lambda z: z.mean(2, keepdims=True) + 0.7 * (z - z.mean(2, keepdims=True)),
        lambda z: np.roll(z, 1, 1),
        lambda z: z + 0.2,
        lambda z: RNG.permutation(z, axis=0) * 0.8,
    ],
    ids=["narrow", "a bin late", "shifted", "of another trial"],
)
def test_planted_faults_are_caught(spoil) -> None:
    found = calibrated(spoil(Z))
    assert not found.within(0.995, 16).all()
    assert min(test.p for test in found.uniformity(16)) < 1e-4


def test_the_band_is_simultaneous() -> None:
    n, samples = 400, 63
    uniform = Ranks(RNG.integers(0, samples + 1, (n, 1500)), samples)
    assert uniform.within(0.95, 16).mean() == pytest.approx(0.95, abs=0.02)
    band = uniform.band(0.95, 16)
    assert (band.low < n / 16).all()
    assert (band.high > n / 16).all()
    wider = uniform.band(0.99, 16)
    assert (wider.low <= band.low).all()
    uneven = Ranks(RNG.integers(0, 10, (n, 1500)), 9)  # ten ranks in four classes of 2 or 3
    assert uneven.expected(4).sum() == n
    assert uneven.within(0.95, 4).mean() == pytest.approx(0.95, abs=0.03)


def test_ties_are_broken_at_random() -> None:
    found = ranks_of({"x": np.zeros(4000)}, {"x": np.zeros((4000, 9))})
    np.testing.assert_allclose(found.histogram(10)[:, 0], 400, atol=90)


def test_bad_input() -> None:
    with pytest.raises(NeuritoError, match="the truth has"):
        ranks_of({"x": X[:, 0]}, {"y": Z[:, 0]})
    with pytest.raises(NeuritoError, match="3 simulations of 'x'"):
        ranks_of({"x": X[:, 0]}, {"x": Z[:3, 0]})
    with pytest.raises(NeuritoError, match="'x': NaN"):
        ranks_of({"x": X[:, 0]}, {"x": np.nan * Z[:, 0]})
    with pytest.raises(NeuritoError, match=r"\[3, 63\]"):
        ranks_of({"x": X[:, 0], "y": X[:, 1]}, {"x": Z[:, 0], "y": Z[:, 1, :3]})
    with pytest.raises(NeuritoError, match="at=8: paths have 8 bins"):
        path_quantities(X[..., None], (8,))
    with pytest.raises(NeuritoError, match="level: 2"):
        calibrated(Z).band(2)
