"""Mechanistic drifts: fixed points, cycles, spikes, and what SciPy makes of the same equations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from tests.core.build import put

from neurito.core.drifts import (
    Drift,
    FitzHughNagumo,
    HodgkinHuxley,
    JansenRit,
    Kuramoto,
    RateRNN,
    WilsonCowan,
)
from neurito.core.parameters import positive

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
KINDS = (Kuramoto, WilsonCowan, RateRNN, JansenRit, FitzHughNagumo, HodgkinHuxley)
INPUT = {JansenRit: "B_u"}


def slope_of(drift: Drift) -> Any:
    f = jax.jit(lambda x: drift(jnp.zeros(1), x, None))
    return lambda t, x: np.asarray(f(x))


def exact(drift: Drift, x: Any, T: float, count: int = 2) -> np.ndarray:
    """The solution (time, dim) at `count` times up to T."""
    found = solve_ivp(
        slope_of(drift), (0, T), np.asarray(x, float), method="LSODA", t_eval=np.linspace(0, T, count),
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip
    return found.y.T


def split(drift: Drift, x: Any, h: float, count: int) -> np.ndarray:
    """States after each of `count` steps of the splitting scheme."""

    def step(x: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        x = drift.flow(x + h * drift.rest(jnp.zeros(1), x, None), h)
        return x, x

    return np.asarray(jax.jit(lambda x: jax.lax.scan(step, x, None, length=count)[1])(jnp.asarray(x, float)))


def alone(kind: Any, **parameters: Any) -> Any:
    """One unit."""
    drift = kind(1, key=KEY)
    return put(drift, **({"K": jnp.zeros((1, 1))} if hasattr(drift, "K") else {}), **parameters)


def at_random(drift: Drift, *shape: int) -> np.ndarray:
    return drift.start + drift.size * np.random.default_rng(0).normal(size=(*shape, drift.dim))


@pytest.mark.parametrize("kind", KINDS)
def test_a_drift_is_its_exact_part_and_the_rest(kind: Any) -> None:
    """Also with inputs, and for any leading axes."""
    drift = kind(3, 2, key=KEY)
    name = INPUT.get(kind, "B")
    drift = put(drift, **{name: np.random.default_rng(0).normal(size=getattr(drift, name).shape)})
    x = jnp.asarray(at_random(drift, 2, 4))
    u, t = jnp.asarray(np.random.default_rng(1).normal(size=(2, 1, 2))), jnp.zeros((2, 1, 1))
    h = 1e-9

    @jax.jit
    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return drift(t, x, u), (drift.flow(x, h) - x) / h + drift.rest(t, x, u)

    whole, parts = both(x)
    assert whole.shape == x.shape
    np.testing.assert_allclose(parts, whole, rtol=1e-3, atol=1e-4)
    assert drift.visible(x).shape == (2, 4, drift.visible_dim)
    still = put(drift, **{name: None})
    assert (np.asarray(jax.jit(lambda x: still(t, x, u))(x)) != np.asarray(whole)).any()


STEPS = {
    Kuramoto: 4.0,
    WilsonCowan: 4.0,
    RateRNN: 4.0,
    JansenRit: 0.05,
    FitzHughNagumo: 20.0,
    HodgkinHuxley: 5.0,
}


@pytest.mark.parametrize("kind", KINDS)
def test_splitting_follows_the_solution_to_first_order(kind: Any) -> None:
    drift, T = kind(2, key=KEY), STEPS[kind]
    if kind is HodgkinHuxley:
        drift = put(drift, I=jnp.array([3.0, 20.0]))
    x = at_random(drift)
    truth = drift.visible(jnp.asarray(exact(drift, x, T)[-1]))
    errors = [
        abs(np.asarray(drift.visible(jnp.asarray(split(drift, x, T / n, n)[-1])) - truth)).max()
        for n in (400, 800)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_large_steps_stay_bounded(kind: Any) -> None:
    drift = kind(2, key=KEY)
    h = {JansenRit: 0.05, HodgkinHuxley: 2.0}.get(kind, 2.0)
    path = split(drift, drift.start + 3 * drift.size, h, 200)
    assert np.isfinite(path).all()
    assert abs(path).max() < 1e3
    gradient = jax.jit(jax.grad(lambda x: drift.flow(x, h).sum()))(jnp.asarray(drift.start + drift.size))
    assert np.isfinite(gradient).all()


# Kuramoto


def test_strong_coupling_synchronises_and_weak_does_not() -> None:
    """Above K_c = 2 / (pi g(0)) = 2 gamma for Lorentzian frequencies of width gamma, r = sqrt(1 - K_c / K)."""
    n, gamma = 200, 0.5
    omega = gamma * np.tan(np.pi * (np.arange(1, n + 1) - 0.5 - n / 2) / n)
    start = np.random.default_rng(0).uniform(-np.pi, np.pi, n)
    for K, expected in ((0.2, 0.0), (4.0, np.sqrt(1 - 2 * gamma / 4.0))):
        drift = put(Kuramoto(n, key=KEY), omega=omega, K=np.full((n, n), K / n))
        order = np.asarray(Kuramoto.order(jnp.asarray(split(drift, start, 0.1, 300)[150:]))).mean()
        assert order == pytest.approx(expected, abs=0.12)


def test_two_phases_lock_at_the_known_distance() -> None:
    """sin(theta_2 - theta_1) = (omega_2 - omega_1) / (K_12 + K_21)."""
    drift = put(Kuramoto(2, key=KEY), omega=jnp.array([1.0, 1.6]), K=jnp.array([[0.0, 0.5], [0.7, 0.0]]))
    path = split(drift, [0.0, 2.0], 0.01, 4000)
    assert np.sin(path[-1, 1] - path[-1, 0]) == pytest.approx(0.6 / 1.2, abs=1e-6)
    assert (path > -np.pi - 1e-9).all()
    assert (path <= np.pi + 1e-9).all()


# Rates


def test_a_rate_network_rests_where_its_equation_says() -> None:
    """For symmetric J below 1 there is one fixed point."""
    drift = RateRNN(4, key=KEY)
    J = np.random.default_rng(0).normal(size=(4, 4)) * 0.2
    drift = put(drift, J=J + J.T, b=jnp.array([0.3, -0.2, 0.1, 0.5]), tau=positive(2.0))
    x = exact(drift, np.ones(4), 200.0)[-1]
    np.testing.assert_allclose(x, (J + J.T) @ np.tanh(x) + np.asarray(drift.b), atol=1e-6)


def test_a_leak_decays_with_tau() -> None:
    drift = put(RateRNN(1, key=KEY), J=jnp.zeros((1, 1)), tau=positive(2.0))
    np.testing.assert_allclose(split(drift, [1.0], 0.5, 4)[:, 0], np.exp(-0.25 * np.arange(1, 5)), rtol=1e-12)


def test_wilson_and_cowans_limit_cycle() -> None:
    """With P = 1.25 the pair oscillates within (0, 1/2), without drive it falls silent, and rest is a fixed point."""
    drift = alone(WilsonCowan)
    path = exact(drift, [0.1, 0.05], 100.0, 2000)[1000:]
    E = path[:, 0]
    assert 0 < path.min() < path.max() < 0.5
    assert np.ptp(E) > 0.15
    upward = np.flatnonzero((E[:-1] < E.mean()) & (E[1:] >= E.mean()))
    assert len(upward) >= 5
    assert np.ptp(np.diff(upward)) <= 1  # one period
    silent = put(drift, P=jnp.zeros(1))
    assert abs(exact(silent, [0.1, 0.05], 100.0)[-1]).max() < 1e-6
    np.testing.assert_allclose(slope_of(silent)(0, np.zeros(2)), 0, atol=1e-12)


def test_a_cortical_column_has_an_alpha_rhythm() -> None:
    """8 to 13 Hz at p = 220; a fixed point at p = 400, beyond the cycles."""
    drift = alone(JansenRit)
    eeg = drift.visible(jnp.asarray(exact(drift, drift.start + 0.1, 4.0, 4000)))[2000:, 0]
    assert 3 < np.ptp(eeg) < 15
    power = abs(np.fft.rfft(np.asarray(eeg) - np.mean(eeg))) ** 2
    assert 8 <= np.argmax(power) / 2.0 <= 13
    still = put(drift, p=jnp.array([400.0]))
    path = exact(still, drift.start, 4.0, 400)
    assert np.ptp(path[300:, 1] - path[300:, 2]) < 0.03


def test_the_start_of_a_column_is_a_fixed_point() -> None:
    drift = alone(JansenRit)
    assert abs(slope_of(drift)(0, drift.start) / drift.size).max() < 0.5


# Neurons


@pytest.mark.parametrize(("current", "fires"), [(0.0, False), (0.5, True), (1.6, False)])
def test_fitzhugh_and_nagumo_fire_for_middling_currents(current: float, fires: bool) -> None:
    """Elsewhere the fixed point v - v^3 / 3 - (v + a) / b + I = 0 is stable."""
    drift = alone(FitzHughNagumo, I=jnp.array([current]))
    path = exact(drift, [-1.0, -0.5], 400.0, 4000)[2000:]
    if fires:
        assert path[:, 0].min() < -1.5
        assert path[:, 0].max() > 1.5
    else:
        v, w = path[-1]
        assert np.ptp(path[:, 0]) < 1e-3
        assert v - v**3 / 3 - w + current == pytest.approx(0, abs=1e-4)
        assert v + 0.7 == pytest.approx(0.8 * w, abs=1e-4)


def test_an_excitable_neuron_answers_a_push_with_one_excursion() -> None:
    drift = alone(FitzHughNagumo, I=jnp.zeros(1))
    rest = exact(drift, [-1.2, -0.6], 400.0)[-1]
    for push, peak in ((0.2, -0.5), (1.0, 1.5)):
        highest = exact(drift, [rest[0] + push, rest[1]], 100.0, 2000)[:, 0].max()
        assert (highest > 1.5) == (peak > 0)


def spikes(V: np.ndarray) -> int:
    return int(((V[:-1] < 0) & (V[1:] >= 0)).sum())


def test_hodgkin_and_huxleys_rest() -> None:
    drift = alone(HodgkinHuxley)
    assert abs(slope_of(drift)(0, drift.start)).max() < 5e-3
    assert drift.potential(jnp.asarray(exact(drift, drift.start, 100.0)[-1]))[0] == pytest.approx(
        -65, abs=0.1
    )


@pytest.mark.parametrize("current", [2.0, 10.0])
def test_a_suprathreshold_current_makes_a_neuron_fire(current: float) -> None:
    """10 uA/cm^2: about 68 spikes/s between -75 and +40 mV, by SciPy and by exponential Euler alike."""
    drift = alone(HodgkinHuxley, I=jnp.array([current]))
    V = drift.potential(jnp.asarray(exact(drift, drift.start, 200.0, 20001)))[:, 0]
    ours = drift.potential(jnp.asarray(split(drift, drift.start, 0.02, 10000)))[:, 0]
    V, ours = np.asarray(V), np.asarray(ours)
    if current < 5:
        assert V.max() < -50
        assert ours.max() < -50
    else:
        assert spikes(V) in (13, 14)
        assert spikes(ours) == spikes(V)
        assert 35 < V.max() < 45
        assert -80 < V.min() < -70
        assert ours.max() == pytest.approx(V.max(), abs=2)


def test_gates_stay_shares_under_noise() -> None:
    drift = HodgkinHuxley(2, key=KEY)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(50, 8)) * 30)
    moved = np.asarray(jax.jit(lambda x: drift.flow(x, 0.05))(x))
    assert np.isfinite(moved).all()
