"""Langevin dynamics: its splitting, its stationary law, its potentials."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, solve_discrete_lyapunov
from tests.core import build

from neurito.core.dynamics import Langevin, Step
from neurito.core.dynamics.potentials import (
    DoubleWell,
    Flat,
    Harmonic,
    Indefinite,
    Oscillators,
    Potential,
    Springs,
)
from neurito.core.noise import Covariance
from neurito.core.observations import Affine, Gaussian
from neurito.core.operators import Stacked
from neurito.core.scan import Inference

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
STIFFNESS = (0.5, 1.0, 2.0)

POTENTIALS: dict[str, Callable[[], Potential]] = {
    "flat": Flat,
    "harmonic": lambda: Harmonic([0.5, 1.0, 2.0, 3.0]),
    "double well": lambda: DoubleWell([1.0, 2.0, 3.0, 4.0]),
    "ring": lambda: Oscillators((4,), 1, 3, key=KEY),
    "grid": lambda: Oscillators((2, 2), 1, 3, key=KEY, quartic=True),
    "channels": lambda: Oscillators((2,), 2, 1, key=KEY, quartic=True, hidden=5),
    "indefinite": lambda: Indefinite(2, 3, key=KEY),
}


def process(potential: Potential, dim: int, h: float, **options: Any) -> Langevin:
    """A step of size h, which is a parameter, so that nothing compiles again for another."""
    options = {"damping": 0.5, "temperature": 1.0, "bin_width": 1.0, "time_constant": 1 / h} | options
    return Langevin(potential, dim, Covariance("diagonal", 2 * dim), key=KEY, **options)


def at(h: float = 1.0, u: Any = None) -> Step:
    return Step(jnp.zeros(1), jnp.full(1, h), u)


@eqx.filter_jit
def walk(dynamics: Langevin, z: jax.Array, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """States after each of the kicks eps (step, ..., noise), and what decoders see of them.

    The first velocity is synchronised.
    """
    position, v = jnp.split(z, 2, -1)
    h = 1 / dynamics.time_constant.value
    z = jnp.concatenate([position, v - 0.5 * h * dynamics.potential.force(position)], -1)

    def body(z: jax.Array, e: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, scale = dynamics.affine(z, at())
        z = dynamics.move(z, mean, scale, at(), e)
        return z, z

    path = jax.lax.scan(body, z, eps)[1]
    return path, dynamics.visible(path, at())


def matrices(dynamics: Langevin) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a linear process: z' = M z + S eps, and what decoders see, V z."""
    M, S, V = _matrices(dynamics)
    return np.asarray(M.T), np.asarray(S), np.asarray(V.T)


@eqx.filter_jit
def _matrices(dynamics: Langevin) -> tuple[jax.Array, jax.Array, jax.Array]:
    basis = jnp.eye(dynamics.latent_dim)
    return dynamics.affine(basis, at())[0], dynamics.scale(at()).dense(), dynamics.visible(basis, at())


@eqx.filter_jit
def energy(potential: Potential, z: jax.Array) -> jax.Array:
    position, v = jnp.split(z, 2, -1)
    return potential.energy(position) + 0.5 * (v**2).sum(-1)


def test_without_friction_the_energy_of_what_decoders_see_errs_by_the_square_of_the_step() -> None:
    potential = Oscillators((3,), 1, 3, key=KEY, quartic=True)
    start = np.array([1.0, -0.5, 0.3, 0.2, 0.4, -1.0])
    truth, seen, lagging = energy(potential, start[None])[0], [], []
    for steps in (40, 80, 160):
        dynamics = process(potential, 3, 4.0 / steps, damping=1e-13)
        path, visible = walk(dynamics, start, np.zeros((160, 3)))
        off = lambda z, n=steps: float(abs(np.asarray(energy(potential, z))[:n] - truth).max())  # noqa: E731
        seen.append(off(visible))
        lagging.append(off(path))
    assert seen[0] / seen[1] == pytest.approx(4, rel=0.15)
    assert seen[1] / seen[2] == pytest.approx(4, rel=0.08)
    assert lagging[1] / lagging[2] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("h", [0.01, 0.3, 5.0])
def test_the_ornstein_uhlenbeck_part_is_exact(h: float) -> None:
    """Its stationary variance is T whatever the step, and n steps are one of n times the length."""
    dynamics = process(Flat(), 1, h, damping=0.7, temperature=2.5)
    M, S, _ = matrices(dynamics)
    c, sd = M[1, 1], S[1, 0]
    assert c == pytest.approx(np.exp(-0.7 * h))
    assert sd**2 / (1 - c**2) == pytest.approx(2.5)
    long, wide, _ = matrices(process(Flat(), 1, 3 * h, damping=0.7, temperature=2.5))
    assert long[1, 1] == pytest.approx(c**3)
    assert wide[1, 0] ** 2 == pytest.approx(sd**2 * (1 + c**2 + c**4))


def test_gibbs_in_a_quadratic_well() -> None:
    """cov(z) = T / k exactly, cov(z, v) = 0, var(v) = T up to the step's square; of (z, v) itself only the first."""
    temperature, errors, lagging = 1.7, [], []
    for h in (0.4, 0.2, 0.1):
        M, S, V = matrices(process(Harmonic(STIFFNESS), 3, h, temperature=temperature))
        P = solve_discrete_lyapunov(M, S @ S.T)
        np.testing.assert_allclose(P, M @ P @ M.T + S @ S.T, atol=1e-12)  # the fixed point of the map
        seen = V @ P @ V.T
        np.testing.assert_allclose(seen[:3, :3], np.diag(temperature / np.array(STIFFNESS)), atol=1e-10)
        np.testing.assert_allclose(seen[:3, 3:], 0, atol=1e-10)
        errors.append(abs(np.diag(seen)[3:] - temperature).max())
        lagging.append(abs(P[:3, 3:]).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)
    assert lagging[1] / lagging[2] == pytest.approx(2, rel=0.02)


def test_weak_order_two() -> None:
    """Mean and covariance of what decoders see against the exact solution of the linear equation."""
    k, gamma, T, end = 1.5, 0.6, 0.8, 2.0
    A = np.array([[0, 1], [-k, -gamma]])
    noise = np.diag([0, 2 * gamma * T])
    m, P = np.array([1.0, -0.5]), np.array([[0.3, 0.1], [0.1, 0.5]])
    block = expm(np.block([[-A, noise], [np.zeros((2, 2)), A.T]]) * end)  # Van Loan
    E = block[2:, 2:].T
    mean, cov = E @ m, E @ P @ E.T + E @ block[:2, 2:]
    errors = []
    for steps in (10, 20, 40):
        M, S, V = matrices(process(Harmonic([k]), 1, end / steps, damping=gamma, temperature=T))
        back = np.linalg.inv(V)
        a, B = back @ m, back @ P @ back.T
        for _ in range(steps):
            a, B = M @ a, M @ B @ M.T + S @ S.T
        errors.append([abs(V @ a - mean).max(), abs(V @ B @ V.T - cov).max()])
    ratios = np.array(errors)[:-1] / np.array(errors)[1:]
    np.testing.assert_allclose(ratios, 4, rtol=0.1)


def test_strong_order_one() -> None:
    """Step halving in a double well, every step of the coarse path driven by the noise of two of the fine one."""
    end, finest, paths, gamma = 2.0, 512, 200, 0.8
    potential, start = DoubleWell([2.0]), np.tile([0.1, 0.5], (paths, 1))
    eps = np.random.default_rng(0).normal(size=(finest, paths, 1))
    ends = {}
    for steps in (512, 64, 32, 16):
        while len(eps) > steps:  # exp(-gamma h) sd(h) e_1 + sd(h) e_2 = sd(2 h) e
            c = np.exp(-gamma * end / len(eps))
            eps = (c * eps[::2] + eps[1::2]) / np.sqrt(1 + c**2)
        dynamics = process(potential, 1, end / steps, damping=gamma)
        padded = np.concatenate([eps, np.zeros((finest - steps, paths, 1))])
        ends[steps] = np.asarray(walk(dynamics, start, padded)[1])[steps - 1]
    errors = [np.sqrt(np.mean((ends[n] - ends[512]) ** 2)) for n in (16, 32, 64)]
    assert np.polyfit(np.log2([1, 0.5, 0.25]), np.log2(errors), 1)[0] > 0.9
    assert errors[2] < 0.05


def test_substeps_are_shorter_steps() -> None:
    fine = process(DoubleWell([2.0]), 1, 0.1)
    inner = process(DoubleWell([2.0]), 1, 0.3, substeps=3)
    z = jnp.array([0.3, -1.0])
    np.testing.assert_allclose(inner.affine(z, at())[0], fine.affine(z, at())[0], rtol=1e-12)
    np.testing.assert_allclose(inner.scale(at()).dense(), fine.scale(at()).dense(), rtol=1e-12)


def test_bins_of_any_width() -> None:
    """A width that comes with the step does what the same width does that is known from the start."""
    known = process(DoubleWell([2.0] * 2), 2, 0.2)
    told = process(DoubleWell([2.0] * 2), 2, 0.2, regular=False)
    rng = np.random.default_rng(0)
    z, eps = jnp.asarray(rng.normal(size=(3, 5, 4))), jnp.asarray(rng.normal(size=(3, 5, 2)))
    steps = Step(jnp.zeros((3, 1)), jnp.ones((3, 1)), None)
    (a, A), (b, B) = (eqx.filter_jit(d.affine)(z, steps) for d in (known, told))
    np.testing.assert_allclose(a + A @ eps, b + B @ eps, rtol=1e-12)
    assert isinstance(B, Stacked)
    assert B.batched
    assert not A.batched


@pytest.mark.parametrize("substeps", [1, 2])
def test_particles_in_bins_of_any_width(substeps: int) -> None:
    """The same where every bin says its width, which all happen to be alike."""
    values = np.random.default_rng(0).normal(size=(2, 5, 3))
    batch = build.batch(build.recording(values, bin_width=1.0))
    readout = Affine(4, 3, 1, key=KEY, bias=jnp.zeros(3))
    bounds = []
    for regular in (True, False):
        dynamics = process(DoubleWell([2.0] * 2), 2, 0.2, regular=regular, substeps=substeps)
        model = build.model(dynamics, Gaussian(readout, 0.5, (1, 3)), "encoder")
        bounds.append(build.run(model, batch, KEY, inference=Inference(particles=4)).bound)
    np.testing.assert_allclose(*bounds, rtol=1e-9)


def test_the_scale_does_the_same_as_its_matrix() -> None:
    scale = process(Flat(), 3, 0.2).scale(at())
    eps = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    np.testing.assert_allclose(scale @ eps, eps @ scale.dense().T, rtol=1e-12)


@pytest.mark.parametrize("name", list(POTENTIALS))
def test_the_force_is_minus_the_gradient_of_the_energy(name: str) -> None:
    potential = POTENTIALS[name]()
    force, U = jax.jit(lambda z: potential.force(z)), jax.jit(lambda z: potential.energy(z))
    gradient = jax.jit(jax.grad(lambda z: potential.energy(z)))

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.floats(-3, 3), min_size=4, max_size=4))
    def holds(place: list[float]) -> None:
        z = np.array(place)
        F, step = np.asarray(force(z)), 1e-5
        np.testing.assert_allclose(F, -gradient(z), atol=1e-10)
        moved = step * np.eye(4)
        differences = (U(z + moved) - U(z - moved)) / (2 * step)
        np.testing.assert_allclose(F, -differences, rtol=1e-6, atol=1e-6)

    holds()


@pytest.mark.parametrize("name", ["double well", "channels", "indefinite"])
def test_potentials_take_any_leading_axes(name: str) -> None:
    potential = POTENTIALS[name]()
    z = np.random.default_rng(0).normal(size=(2, 3, 4))
    both = lambda z: (potential.force(z), potential.energy(z))  # noqa: E731
    whole, each = jax.jit(both)(z), jax.jit(jax.vmap(jax.vmap(both)))(z)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), whole, each)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kernel", [1, 5])
@pytest.mark.parametrize("sites", [(5,), (3, 4)])
def test_stiffness_is_positive_definite(sites: tuple[int, ...], kernel: int, channels: int) -> None:
    springs = Springs(sites, channels, kernel, key=KEY)
    L = np.asarray(springs.value)
    np.testing.assert_array_equal(L, L.T)
    assert np.linalg.eigvalsh(L).min() >= float(springs.own.value.min()) - 1e-12
    # Springs store energy only when their ends move apart.
    np.testing.assert_allclose(L.sum(1), springs.own.value)
    assert (L - np.diag(np.diag(L)) <= 0).all()


def test_a_ring_looks_alike_from_every_site() -> None:
    springs = Springs((6,), 1, 3, key=KEY)
    L = np.asarray(springs.value) - np.diag(springs.own.value)
    for shift in range(6):
        np.testing.assert_allclose(np.roll(L, (shift, shift), (0, 1)), L, atol=1e-12)
    assert L[0, 1] < 0
    assert L[0, 2] == 0


def test_a_gyroscopic_force_does_no_work() -> None:
    dynamics = process(Flat(), 4, 0.1, gyroscopic=True)
    z, v = np.random.default_rng(0).normal(size=(2, 10, 4))
    F = np.asarray(eqx.filter_jit(dynamics.force)(z, v))
    assert abs(F).max() > 0.1
    np.testing.assert_allclose((v * F).sum(-1), 0, atol=1e-12)


def test_forces_add_up() -> None:
    dynamics = process(Harmonic([1.0, 2.0]), 2, 0.1, gyroscopic=True, active=5, input_dim=1)
    dynamics = eqx.tree_at(lambda d: d.B, dynamics, jnp.array([[1.0], [0.5]]))
    z, v, u = jnp.array([0.3, -1.0]), jnp.array([0.2, 0.7]), jnp.array([2.0])
    own = dynamics.active(jnp.concatenate([z, v]))
    G = dynamics.gyroscope - dynamics.gyroscope.T
    np.testing.assert_allclose(
        dynamics.force(z, v, u), -jnp.array([1.0, 2.0]) * z + G @ v + own + jnp.array([2, 1])
    )


def test_the_released_potential_is_a_convolution() -> None:
    """U = sum_l (sum_i conv(z)_il)(sum_j z_jl), the kernel laid over every coordinate with zeros beyond the ends."""
    potential = Indefinite(2, 3, key=KEY)
    z = np.random.default_rng(0).normal(size=(2, 5))
    w = np.asarray(potential.kernel) / np.sqrt((potential.kernel**2).sum(-1, keepdims=True) + 1e-4)
    padded = np.pad(z, ((0, 0), (1, 1)))
    out = np.zeros_like(z)
    for source in range(2):
        for to in range(2):
            for place in range(5):
                out[to, place] += w[source, to] @ padded[source, place : place + 3]
    U = (out.sum(1) * z.sum(1)).sum()
    assert potential.energy(jnp.asarray(z.ravel())) == pytest.approx(U)


@pytest.mark.parametrize(("frozen", "size"), [(False, (1e-3, 1e3)), (True, (1e6, np.inf))])
def test_kernels_can_move_where_they_do_not_start_at_zero(frozen: bool, size: tuple[float, float]) -> None:
    potential = Indefinite(4, 3, key=KEY, frozen=frozen)
    z = jnp.asarray(np.random.default_rng(0).normal(size=8))
    gradient = eqx.filter_jit(eqx.filter_grad(lambda p: p.energy(z)))(potential)
    assert size[0] < float(jnp.abs(gradient.kernel).max()) < size[1]


@pytest.mark.parametrize("regular", [True, False])
def test_at_rest_under_an_input_the_decoded_velocity_is_zero(regular: bool) -> None:
    """U = z^2 / 2 and B u = 1: z rests at 1; the half kick that decoders see takes the input in, whatever the width."""
    start = Langevin(
        Harmonic([1.0]),
        1,
        Covariance("diagonal", 2),
        bin_width=0.1,
        regular=regular,
        time_constant=0.25,
        substeps=2,
        input_dim=1,
        key=jax.random.key(0),
    )
    dynamics = eqx.tree_at(lambda d: d.B, start, jnp.ones((1, 1)))
    step = at(0.1, jnp.ones(1))
    rest = jnp.asarray([[[1.0, 0.0]]])
    np.testing.assert_allclose(dynamics.affine(rest, step)[0], rest, atol=1e-12)
    np.testing.assert_allclose(dynamics.visible(rest, step), rest, atol=1e-12)
    moved = dynamics.visible(jnp.zeros((1, 1, 2)), step)
    np.testing.assert_allclose(np.ravel(moved), [0.0, 0.5 * 0.1 / 2 / 0.25], atol=1e-12)
