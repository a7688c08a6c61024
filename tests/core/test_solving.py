"""Steps whose length follows the error, against scipy and closed forms."""

import sys
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurito
from neurito.core.drifts import Drift, HodgkinHuxley, Linear
from neurito.core.dynamics import SDE, Step
from neurito.core.dynamics.sde import Constant
from neurito.core.noise import Covariance
from neurito.core.parameters import parameters
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.models import NeuralSDE

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)


class Clock(Drift):
    """x' = t + u."""

    dim: ClassVar[int] = 1

    def __call__(self, t: Any, x: Any, u: Any) -> Any:
        return jnp.broadcast_to(t + (0 if u is None else u), x.shape)


def equation(drift: Drift, **options: Any) -> SDE:
    options = {"bin_width": 1.0, "time_constant": 1.0, "tolerance": 1e-9} | options
    g = Constant(drift.dim, 1e-9)
    return SDE(drift, g, Covariance("diagonal", drift.dim, 1e-9), scheme="adaptive", **options)


@jax.jit
def moved(sde: SDE, x: jax.Array, step: Step) -> jax.Array:
    return sde.affine(x, step)[0]


def rest(bins: float = 1.0) -> Step:
    return Step(jnp.zeros((1, 1)), jnp.full((1, 1), bins), None)


def test_a_linear_drift_is_solved_for_every_state() -> None:
    from scipy.linalg import expm

    drift = Linear(3, key=KEY)
    x = np.random.default_rng(0).normal(size=(4, 5, 3))
    J = np.asarray(jax.jacfwd(lambda x: drift(jnp.zeros(()), x, None))(jnp.zeros(3)))
    c = np.asarray(drift(jnp.zeros(()), jnp.zeros(3), None))
    whole = expm(np.block([[J, c[:, None]], [np.zeros((1, 4))]]))
    truth = x @ whole[:3, :3].T + whole[:3, 3]
    np.testing.assert_allclose(moved(equation(drift), x, rest()), truth, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("interpolate", [False, True])
def test_time_and_inputs_move_within_a_step(interpolate: bool) -> None:
    """The integral of t + u from 2 to 3, u = 5, or rising from 5 to 6."""
    sde = equation(Clock(), interpolate=interpolate)
    u = jnp.array([5.0, 1.0, 2.0] if interpolate else [5.0])
    step = Step(jnp.full((1, 1), 2.0), jnp.ones((1, 1)), u[None, None])
    expected = 2.5 + 5 + 0.5 * interpolate
    np.testing.assert_allclose(moved(sde, jnp.zeros((1, 1, 1)), step), expected, rtol=1e-9)


def test_a_spike_of_hodgkin_and_huxley_is_that_of_scipy() -> None:
    """Four milliseconds in one step, with a current of 10 uA/cm^2; and its gradient is that of differences."""
    drift = HodgkinHuxley(1, key=KEY)
    field = jax.jit(lambda x, current: _driven(drift, current)(jnp.zeros(()), x, None))
    found = solve_ivp(
        lambda t, x: np.asarray(field(x, 10.0)), (0, 4), drift.start, method="LSODA", rtol=1e-9, atol=1e-10
    )
    truth = found.y[:, -1]
    sde = equation(drift, regular=False, tolerance=1e-8)

    @jax.jit
    def end(I: jax.Array) -> jax.Array:  # noqa: E741
        driven = eqx.tree_at(lambda s: s.drift.I, sde, I[None])
        return driven.affine(jnp.asarray(drift.start)[None, None], rest(4.0))[0][0, 0]

    np.testing.assert_allclose(end(jnp.asarray(10.0)), truth, rtol=1e-4, atol=1e-5)
    slope = jax.jit(jax.grad(lambda I: end(I)[0]))(jnp.asarray(10.0))  # noqa: E741
    difference = (end(jnp.asarray(10.01))[0] - end(jnp.asarray(9.99))[0]) / 0.02
    assert slope == pytest.approx(float(difference), rel=1e-3)


def _driven(drift: HodgkinHuxley, current: Any) -> HodgkinHuxley:
    return eqx.tree_at(lambda d: d.I, drift, jnp.full(1, current))


def test_a_fit_goes_through_the_solver() -> None:
    counts = np.random.default_rng(0).poisson(0.3, (6, 8, 5)).astype(np.float32)
    trials = Trials.from_array(counts, bin_width=0.001)
    small: dict[str, Any] = {"decoder": (4,), "control": 4, "context": 3, "hidden": 3, "scheme": "adaptive"}
    model = NeuralSDE(latents=2, drift_widths=(4,), tolerance=1e-3, **small)
    run = neurito.fit(model, trials, epochs=2, batch_size=6, steps_per_call=1, score="none", progress=False)
    assert np.isfinite([entry["bound"] for entry in run.history]).all()
    before = parameters(model.build(run.fitted.layout, jax.random.key(0)).dynamics)
    after = parameters(run.fitted.model.dynamics)
    assert any(not np.allclose(before[name], after[name]) for name in before)


def test_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NeuritoError, match="tolerance=0: give a relative error"):
        NeuralSDE(tolerance=0.0)
    trials = Trials.from_array(np.ones((2, 3, 1), np.float32), bin_width=0.01)
    if jax.device_count() > 1:
        with pytest.raises(NeuritoError, match="devices=2: neural-sde with these options can use 1"):
            neurito.fit(NeuralSDE(scheme="adaptive"), trials, devices=2)
    monkeypatch.setitem(sys.modules, "diffrax", None)
    with pytest.raises(NeuritoError, match=r"needs the package diffrax: pip install 'neurito\[solvers\]'"):
        equation(Clock()).affine(jnp.zeros((1, 1, 1)), rest())
