"""Latents and oscillators of several runs in common coordinates: planted transforms are found again."""

import numpy as np
import pytest

from neurito import NeuritoError
from neurito.analysis.alignment import Match, align, match
from neurito.analysis.oscillation import Oscillation, ensemble

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((5, 40, 3)) @ np.diag([2.0, 1.0, 0.5])


def test_a_planted_rotation_and_scale_are_found() -> None:
    Q = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    found = align(Z, 1.7 * Z @ Q + [1.0, -2.0, 3.0], "procrustes")
    np.testing.assert_allclose(found.matrix, 1.7 * Q, atol=1e-10)
    np.testing.assert_allclose(found.offset, [1.0, -2.0, 3.0], atol=1e-10)
    assert found.r2 == pytest.approx(1.0)


def test_a_linear_map_is_found_between_different_sizes() -> None:
    A = RNG.standard_normal((3, 2))
    found = align(Z, Z @ A + 1.0)
    np.testing.assert_allclose(found.matrix, A, atol=1e-10)
    np.testing.assert_allclose(found(Z), Z @ A + 1.0, atol=1e-10)


def test_a_rotation_cannot_do_what_a_linear_map_can() -> None:
    y = Z @ np.diag([1.0, 5.0, 0.1])
    assert align(Z, y, "linear").r2 == pytest.approx(1.0)
    assert align(Z, y, "procrustes").r2 < 0.9
    assert abs(align(Z, RNG.standard_normal(Z.shape)).r2) < 0.1


def test_bins_that_do_not_exist_do_not_count() -> None:
    z = Z.copy()
    z[2, 30:] = np.nan
    assert align(z, Z, "procrustes").r2 == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("z", "reference", "method", "says"),
    [
        (Z, Z[:4], "linear", "same trials"),
        (Z, Z[..., :2], "procrustes", "method='linear'"),
        (Z, Z, "cca", "procrustes"),
        (Z[:1, :2], Z[:1, :2], "linear", "more trials"),
    ],
)
def test_what_cannot_be_aligned_is_said(z: np.ndarray, reference: np.ndarray, method: str, says: str) -> None:
    with pytest.raises(NeuritoError, match=says):
        align(z, reference, method)


def cycles(units: int = 4) -> np.ndarray:
    """Oscillators of different frequencies, (trial, time, 2 N)."""
    t = np.linspace(0.0, 6.0, 60)
    phase = RNG.uniform(0, 2 * np.pi, (6, 1, units)) + t[None, :, None] * np.linspace(1.0, 4.0, units)
    return np.concatenate([np.cos(phase), np.sin(phase)], -1)


ORDER, SIGN, TURN = np.array([2, 0, 3, 1]), np.array([1.0, -1.0, -1.0, 1.0]), 0.4


def planted(z: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """The same oscillators as another run would have them: out of order, turned, some by half a turn."""
    x, y = np.split(z, 2, -1)
    c = (SIGN * np.exp(1j * TURN) * (x + 1j * y))[..., np.argsort(ORDER)]
    return np.concatenate([c.real, c.imag], -1) + noise * RNG.standard_normal(z.shape)


def test_order_signs_and_phase_of_oscillators_are_found() -> None:
    z = cycles()
    found = match(planted(z), z)
    np.testing.assert_array_equal(found.order, ORDER)
    assert abs(found.sign @ SIGN) == 4  # all signs at once, and a phase of pi, are the same
    np.testing.assert_allclose(found.states(planted(z)), z * np.sign(found.sign @ SIGN), atol=0.05)
    assert found.correlation.min() > 0.99
    assert found.turn == pytest.approx(TURN, abs=0.05)


def test_noise_lowers_the_correlation_and_not_the_order() -> None:
    z = cycles()
    found = match(planted(z, 0.5), z)
    np.testing.assert_array_equal(found.order, ORDER)
    assert 0.6 < found.correlation.min() < found.correlation.max() < 0.95


def test_harmonic_oscillators_have_signs_only() -> None:
    z = cycles()
    assert match(-z, z, turned=False).sign.tolist() == [-1.0] * 4
    assert match(z, z, turned=False).turn == 0.0
    quarter = np.concatenate([-z[..., 4:], z[..., :4]], -1)
    assert match(quarter, z).correlation.min() > 0.99
    assert match(quarter, z, turned=False).correlation.max() < 0.5


def test_coupling_goes_with_order_and_signs() -> None:
    """z' = f(z) + K z in either order: the same trajectories, the same matrix."""
    K = RNG.standard_normal((4, 4))
    x = RNG.standard_normal((7, 4))
    back = np.argsort(ORDER)
    moved = (x * SIGN)[:, back]
    other = np.outer(SIGN[back], SIGN[back]) * K[back][:, back]
    np.testing.assert_allclose(moved @ other.T, ((x @ K.T) * SIGN)[:, back])
    found = Match(ORDER, SIGN, 0.0, np.ones(4))
    np.testing.assert_allclose(found.coupling(other), K)
    np.testing.assert_allclose(found.each(np.arange(4.0)[back]), np.arange(4.0))


def test_an_ensemble_sums_up_runs_in_one_order() -> None:
    z, back = cycles(), np.argsort(ORDER)
    f, K = np.array([1.0, 2.0, 3.0, 4.0]), np.array(RNG.standard_normal((4, 4)))
    one = Oscillation(f, -f, f**0.5, K)
    unsure = K.copy()
    unsure[0, 1] *= -0.5
    turned = np.outer(SIGN[back], SIGN[back]) * unsure[back][:, back]
    two = Oscillation(1.1 * f[back], -f[back], f[back] ** 0.5, turned)
    found = ensemble([one, two], [match(z, z), match(planted(z), z)])
    np.testing.assert_allclose(found.mean.frequency, 1.05 * f)
    np.testing.assert_allclose(found.spread.frequency, 0.1 * f / 2**0.5)
    np.testing.assert_allclose(found.mean.coupling[0, 1], 0.25 * K[0, 1])
    assert found.agreement[0, 1] == 0.5
    assert np.delete(found.agreement.ravel(), 1).tolist() == [1.0] * 15
    assert found.spread.growth.max() < 1e-12


def test_oscillators_of_different_numbers_are_no_pair() -> None:
    with pytest.raises(NeuritoError, match="equally many"):
        match(cycles(4), cycles(3))
