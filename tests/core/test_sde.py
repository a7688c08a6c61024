"""Stochastic differential equations: orders of the schemes, exact flows, inputs, sub-steps."""

from itertools import pairwise
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from tests.core.build import batch, put, recording, run

from neurito.core.drifts import Bistable, Drift, HarmonicOscillators, Hopf, Hybrid, Linear, Perceptron
from neurito.core.dynamics import SDE, Step
from neurito.core.dynamics.sde import Constant, Diffusion, PerLatent, Scheme, StateDependent
from neurito.core.guides import Bootstrap
from neurito.core.layers import MLP
from neurito.core.noise import Covariance
from neurito.core.parameters import positive
from neurito.core.scan import Inference, Model
from neurito.errors import NeuritoError

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
RATE, SIZE = 0.3, 0.7


class Pendulum(Drift):
    """x' = rate x - turn sin x; without the second term, geometric growth."""

    turn: float = 0.0
    dim: ClassVar[int] = 1

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return RATE * x - self.turn * jnp.sin(x)


class Proportional(Diffusion):
    constant = False

    def __call__(self, x: Any) -> Any:
        return SIZE * x


class Clock(Drift):
    """x' = t."""

    dim: ClassVar[int] = 1

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return jnp.broadcast_to(t, x.shape)


def equation(drift: Drift, g: Diffusion, scheme: Scheme = "euler", **options: Any) -> SDE:
    options = {"bin_width": 1.0, "time_constant": 1.0} | options
    return SDE(drift, g, Covariance("diagonal", drift.dim, 1e-9), scheme=scheme, **options)


def quiet(dim: int) -> Constant:
    return Constant(dim, 1e-9)


@eqx.filter_jit
def end(sde: SDE, x: jax.Array, dW: jax.Array, h: jax.Array) -> jax.Array:
    """Where x is after the increments dW (step, ..., dim), each of length h; beyond them there are zeros."""
    step = Step(jnp.zeros(1), h[None], None)

    def body(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, scale = sde.affine(x, step)
        x = sde.move(x, mean, scale, step, w / jnp.sqrt(h))
        return x, x

    return jax.lax.scan(body, x, dW)[1]


def strong_errors(
    sde: SDE, exact: np.ndarray | None, dW: np.ndarray, T: float, counts: list[int]
) -> np.ndarray:
    """Root mean square errors at T with so many steps, all along the same Brownian paths."""
    finest, ends = len(dW), {}
    for n in [finest, *counts]:
        coarse = dW.reshape(n, finest // n, *dW.shape[1:]).sum(1)
        padded = np.concatenate([coarse, np.zeros((finest - n, *dW.shape[1:]))])
        ends[n] = np.asarray(end(sde, jnp.ones(dW.shape[1:]), padded, jnp.asarray(T / n)))[n - 1]
    truth = ends[finest] if exact is None else exact
    return np.array([np.sqrt(np.mean((ends[n] - truth) ** 2)) for n in counts])


def order(errors: np.ndarray) -> float:
    return float(-np.polyfit(np.arange(len(errors)), np.log2(errors), 1)[0])


@pytest.mark.parametrize(("scheme", "expected"), [("euler", 0.5), ("heun", 1.0)])
def test_strong_order_on_geometric_brownian_motion(scheme: Scheme, expected: float) -> None:
    """dx = a x dt + b x dW (Ito), whose solution is exp((a - b^2 / 2) t + b W)."""
    T, dW = 1.0, np.random.default_rng(0).normal(size=(1024, 1000, 1)) * 1024**-0.5
    exact = np.exp((RATE - SIZE**2 / 2) * T + SIZE * dW.sum(0))
    sde = equation(Pendulum(), Proportional(), scheme, regular=False)
    errors = strong_errors(sde, exact, dW, T, [32, 64, 128, 256])
    assert order(errors) == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_strong_order_where_the_diffusion_is_constant(scheme: Scheme) -> None:
    dW = np.random.default_rng(0).normal(size=(2048, 100, 1)) * (2 / 2048) ** 0.5
    sde = equation(Pendulum(3.0), Constant(1, 0.7), scheme, regular=False)
    errors = strong_errors(sde, None, dW, 2.0, [32, 64, 128])
    assert order(errors) == pytest.approx(1.0, abs=0.12)


def test_a_state_dependent_diffusion_starts_where_it_is_told() -> None:
    g = StateDependent(3, 0.5, (8,), 0.1, key=KEY)
    x = jax.random.normal(KEY, (50, 3))
    np.testing.assert_allclose(g(x), 0.6, rtol=0.3)
    huge = put(g.network.layers[-1], b=jnp.full(3, -1e3))
    assert (eqx.tree_at(lambda g: g.network.layers[-1], g, huge)(x) >= 0.1).all()


# A network per latent


def per_latent(width: int = 7) -> PerLatent:
    g = PerLatent(3, np.array([0.5, 1.0, 2.0]), width, 0.1, key=KEY)
    return put(g, v=jax.random.normal(KEY, (3, width)), c=jnp.array([0.3, -0.2, 0.1]))


def test_the_diffusion_per_latent_is_its_formula() -> None:
    g, x = per_latent(), np.random.default_rng(0).normal(size=(4, 2, 3))
    for i, sd in enumerate([0.5, 1.0, 2.0]):
        hidden = np.log1p(np.exp(x[..., i, None] * np.asarray(g.w[i]) + np.asarray(g.b[i])))
        inner = hidden @ np.asarray(g.v[i]) + np.asarray(g.c[i])
        expected = 0.1 + 2 * (sd - 0.1) / (1 + np.exp(-inner))
        np.testing.assert_allclose(g(jnp.asarray(x))[..., i], expected, rtol=1e-12)


def test_the_diffusion_per_latent_starts_where_it_is_told_and_stays_above_its_floor() -> None:
    sd = np.array([0.5, 1.0, 2.0])
    g, x = PerLatent(3, sd, 32, 0.1, key=KEY), jax.random.normal(KEY, (50, 3))
    np.testing.assert_allclose(g(x), np.broadcast_to(sd, (50, 3)), rtol=0.3)
    for c, bound in ((-1e3, 0.1), (1e3, 2 * sd - 0.1)):
        np.testing.assert_allclose(put(g, c=jnp.full(3, c))(x), np.broadcast_to(bound, (50, 3)), rtol=1e-12)


def test_the_derivative_of_a_diffusion_in_its_own_latent() -> None:
    """All at once where no latent sees another, one by one elsewhere."""
    x = jax.random.normal(KEY, (5, 3))
    for g in (per_latent(), StateDependent(3, 0.5, (8,), 0.1, key=KEY)):
        value, slope = g.with_slope(x)
        own = jax.vmap(lambda x, g=g: jnp.diagonal(jax.jacfwd(g)(x)))(x)
        np.testing.assert_allclose(slope, own, rtol=1e-9)
        np.testing.assert_allclose(value, g(x), rtol=1e-12)


def test_heun_is_of_first_order_with_a_network_per_latent() -> None:
    dW = np.random.default_rng(0).normal(size=(1024, 200, 3)) * (2 / 1024) ** 0.5
    sde = equation(Linear(3, key=KEY), per_latent(), "heun", regular=False)
    assert order(strong_errors(sde, None, dW, 2.0, [16, 32, 64])) == pytest.approx(1.0, abs=0.15)


# Exact flows


def hopf(**parameters: Any) -> Hopf:
    return put(Hopf(1, key=KEY), **{k: jnp.array([v]) for k, v in parameters.items()})


def solution(drift: Any, x: np.ndarray, h: float) -> np.ndarray:
    """Of the drift's local part alone."""
    slope = jax.jit(lambda x: jnp.concatenate(drift.local(*jnp.split(x, 2, -1)), -1))
    found = solve_ivp(lambda t, x: np.asarray(slope(x)), (0, h), x, rtol=1e-10, atol=1e-12, method="DOP853")
    return found.y[:, -1]


FLOW = jax.jit(lambda drift, x, h: drift.flow(x, h))
SLOPE = jax.jit(jax.grad(lambda drift, x, h: drift.flow(x, h).sum(), allow_int=True))


@pytest.mark.parametrize("sigma", [-2.0, -1e-9, 0.0, 1e-5, 0.8])
def test_the_flow_of_a_hopf_oscillator_solves_its_equation(sigma: float) -> None:
    drift, x = hopf(sigma=sigma, omega=1.7), np.array([0.8, -1.4])
    for h in (0.05, 1.5):
        np.testing.assert_allclose(FLOW(drift, x, h), solution(drift, x, h), rtol=1e-7, atol=1e-9)
    gradient = SLOPE(drift, x, 0.3)
    assert np.isfinite(gradient.sigma).all()
    assert gradient.sigma != 0


def test_the_gradient_of_the_flow_is_smooth_where_growth_vanishes() -> None:
    slopes = [
        float(SLOPE(hopf(sigma=s), np.array([0.8, -1.4]), 0.3).sigma[0]) for s in (-1e-3, -1e-6, 0.0, 1e-3)
    ]
    assert np.ptp(slopes) < 1e-2


def test_flows_compose() -> None:
    x = np.array([[0.8, -1.4], [0.0, 0.0], [1e-8, 3.0]])
    for drift in (hopf(sigma=0.7), HarmonicOscillators(1, key=KEY)):
        np.testing.assert_allclose(FLOW(drift, FLOW(drift, x, 0.2), 0.3), FLOW(drift, x, 0.5), atol=1e-12)


def test_a_limit_cycle_has_the_radius_and_the_period_of_the_theory() -> None:
    drift = hopf(sigma=0.64, omega=2.0)
    x = FLOW(drift, np.array([0.1, 0.0]), 100 * np.pi)  # a hundred periods
    np.testing.assert_allclose(x, [0.8, 0.0], atol=1e-9)


def test_splitting_is_bounded_where_euler_explodes() -> None:
    start, zeros = jnp.full((1, 4), 3.0), np.zeros((50, 1, 4))
    paths = {
        scheme: end(equation(Hopf(2, key=KEY), quiet(4), scheme, regular=False), start, zeros, jnp.ones(()))
        for scheme in ("euler", "splitting")
    }
    assert not np.isfinite(paths["euler"]).all()
    assert np.abs(paths["splitting"]).max() < 3


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sigma=st.floats(-0.9, 2), r=st.floats(1e-3, 1e3), h=st.floats(1e-4, 1e4))
def test_a_bistable_radius_stays_positive_and_bounded(sigma: float, r: float, h: float) -> None:
    """One step leads at most as far out as it started, or as the growth at its largest carries the outer cycle."""
    drift = put(Bistable(1, key=KEY), sigma=jnp.array([sigma]))
    square = float((np.asarray(FLOW(drift, np.array([r, 0.0]), h)) ** 2).sum())
    cycle = 1 + np.sqrt(1 + sigma)
    assert 0 < square <= max(r**2, cycle * (1 + 2 * h * (1 + sigma))) * (1 + 1e-12)


def test_a_bistable_flow_is_first_order_accurate() -> None:
    drift = put(Bistable(1, key=KEY), sigma=jnp.array([-0.3]), omega=jnp.array([1.3]))
    for x in (np.array([0.9, 0.1]), np.array([0.2, 0.1]), np.array([1.7, 0.0])):
        truth, errors = solution(drift, x, 1.0), []
        for n in (64, 128, 256):
            flow = jax.jit(lambda y, n=n: jax.lax.fori_loop(0, n, lambda i, y: drift.flow(y, 1.0 / n), y))
            errors.append(abs(np.asarray(flow(x)) - truth).max())
        assert order(np.array(errors)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("gamma", [1e-3, 0.5, 2 * 1.3 - 1e-7, 2 * 1.3, 2 * 1.3 + 1e-4, 20.0])
def test_the_flow_of_a_harmonic_oscillator_is_exact(gamma: float) -> None:
    """Underdamped, critically damped, overdamped."""
    omega, x = 1.3, np.array([0.7, -0.4])
    drift = put(HarmonicOscillators(1, key=KEY), omega=positive([omega]), gamma=positive([gamma]))
    A = np.array([[0, 1], [-(omega**2), -gamma]])
    for h in (1e-4, 0.5, 3.0):
        np.testing.assert_allclose(FLOW(drift, x, h), expm(A * h) @ x, rtol=1e-8, atol=1e-10)
    gradient = SLOPE(drift, x, 0.5)
    assert np.isfinite(gradient.omega.raw).all()
    assert np.isfinite(gradient.gamma.raw).all()


@pytest.mark.parametrize("coupling", ["additive", "diffusive"])
@pytest.mark.parametrize("kind", [Hopf, Bistable, HarmonicOscillators])
def test_a_drift_is_its_exact_part_and_the_rest(kind: Any, coupling: Any) -> None:
    drift = kind(3, 2, key=KEY, coupling=coupling)
    drift = put(drift, B=jax.random.normal(KEY, (6, 2)))
    x, u = (jnp.asarray(np.random.default_rng(0).normal(size=(4, n))) for n in (6, 2))
    t = jnp.zeros((4, 1))

    @jax.jit
    def parts(h: float) -> tuple[jax.Array, jax.Array]:
        return drift(t, x, u), (drift.flow(x, h) - x) / h + drift.rest(t, x, u)

    whole, split = parts(1e-7)
    np.testing.assert_allclose(split, whole, rtol=1e-5, atol=1e-5)


def test_diffusive_coupling_leaves_synchrony_alone() -> None:
    drift = Hopf(3, key=KEY, coupling="diffusive")
    x = jnp.concatenate([jnp.full(3, 0.4), jnp.full(3, -0.7)])
    np.testing.assert_allclose(drift.rest(jnp.zeros(1), x, None), 0, atol=1e-12)


def test_a_hybrid_starts_as_the_equations_that_are_known() -> None:
    known = Hopf(2, 1, key=KEY)
    hybrid = Hybrid(known, Perceptron(4, (5,), 1, key=KEY, gain=0.0))
    x, u, t = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4))), jnp.ones((3, 1)), jnp.zeros((3, 1))
    both = jax.jit(lambda drift: (drift(t, x, u), drift.flow(x, 0.1)))
    jax.tree.map(np.testing.assert_array_equal, both(hybrid), both(known))
    assert hybrid.split


def test_splitting_needs_something_to_split() -> None:
    with pytest.raises(NeuritoError, match="Linear has none: use 'euler'"):
        equation(Linear(2, key=KEY), quiet(2), "splitting")


# Inputs, time, sub-steps


def path(sde: SDE, inputs: np.ndarray | None, edges: np.ndarray) -> np.ndarray:
    """The states (time, latent) of the scan, nearly without noise."""
    bins = len(edges) - 1
    widths = {"bin_width": 1.0} if sde.regular else {"bin_width": None, "bin_edges": edges}
    trials = recording(np.zeros((1, bins, 1)), **widths, inputs=None if inputs is None else inputs[None])
    model = Model(sde, {}, Bootstrap(), None)
    few = Inference(particles=1, objective="iwae", resampling="none")
    out = run(model, batch(trials), KEY, inference=few, record=True)
    return np.asarray(out.record.z)[:, 0, 0]


EDGES = np.array([0.0, 1.0, 2.5, 3.0, 5.0, 5.5])
INPUTS = np.array([[0.0], [2.0], [-1.0], [3.0], [3.0]])


def integrator() -> Linear:
    return put(Linear(1, 1, key=KEY), A=jnp.zeros((1, 1)), B=jnp.ones((1, 1)))


@pytest.mark.parametrize("substeps", [1, 3])
def test_inputs_that_move_linearly(substeps: int) -> None:
    """Heun's rule integrates a piecewise linear function exactly, Euler's takes it at the start of every sub-step."""
    knots = np.interp
    for scheme in ("heun", "euler"):
        sde = equation(
            integrator(),
            quiet(1),
            scheme,
            interpolate=True,
            substeps=substeps,
            regular=False,
            time_constant=2.0,
        )
        z = path(sde, INPUTS, EDGES)
        fine = np.concatenate([np.linspace(a, b, substeps, False) for a, b in pairwise(EDGES[:-1])])
        fine = np.append(fine, EDGES[-2])
        u, h = knots(fine, EDGES[:-1], INPUTS[:, 0]), np.diff(fine) / 2.0
        area = h * (0.5 * (u[1:] + u[:-1]) if scheme == "heun" else u[:-1])
        expected = np.concatenate([[0], np.cumsum(area)])[::substeps]
        np.testing.assert_allclose(z[:, 0], expected, atol=1e-6)


def test_inputs_that_rest_within_a_bin() -> None:
    z = path(equation(integrator(), quiet(1), regular=False, substeps=2), INPUTS, EDGES)
    expected = np.concatenate([[0], np.cumsum(np.diff(EDGES)[:-1] * INPUTS[:-1, 0])])
    np.testing.assert_allclose(z[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("regular", [True, False])
def test_substeps_know_the_time(regular: bool) -> None:
    edges = np.arange(6.0) if regular else EDGES
    z = path(equation(Clock(), quiet(1), substeps=4, regular=regular, time_constant=2.0), None, edges)
    width = np.diff(edges)[:-1, None] / 4
    t = (edges[:-2, None] + width * np.arange(4)) / 2.0
    expected = np.concatenate([[0], np.cumsum((t * width / 2.0).sum(1))])
    np.testing.assert_allclose(z[:, 0], expected, atol=1e-6)


def test_substeps_are_shorter_steps_with_noise_of_their_own() -> None:
    """x' = 0: the variance grows by g^2 dt whatever the sub-steps."""
    still = put(Linear(1, key=KEY), A=jnp.zeros((1, 1)))
    trials = recording(np.zeros((100, 3, 1)), bin_width=0.5)
    few = Inference(particles=40, objective="iwae", resampling="none")
    for substeps in (1, 4):
        sde = equation(still, Constant(1, 0.8), bin_width=0.5, substeps=substeps)
        out = run(Model(sde, {}, Bootstrap(), None), batch(trials), KEY, inference=few, record=True)
        assert out.record.z.shape == (3, 100, 40, 1)
        steps = np.diff(np.asarray(out.record.z), axis=0)
        assert steps.var() == pytest.approx(0.8**2 * 0.5, rel=0.06)


def test_a_stimulus_network_comes_before_the_drift() -> None:
    network = MLP(1, 1, (4,), key=KEY)
    z = path(equation(integrator(), quiet(1), regular=False, stimulus=network), INPUTS, EDGES)
    u = np.asarray(network(jnp.asarray(INPUTS)))[:, 0]
    expected = np.concatenate([[0], np.cumsum(np.diff(EDGES)[:-1] * u[:-1])])
    np.testing.assert_allclose(z[:, 0], expected, atol=1e-6)
