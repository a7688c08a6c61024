"""The control of a variational autoencoder, and its divergence from the prior."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tests.core import build
from tests.core.build import put, recording, run, smooth
from tests.core.kalman import LinearGaussian, solve

from neurito.core.drifts import Linear
from neurito.core.dynamics import SDE
from neurito.core.dynamics.sde import Constant
from neurito.core.encoders import CNN, GRU, Encoder
from neurito.core.guides import Control, Guide, Optimal
from neurito.core.guides.base import Kick, Prepared
from neurito.core.layers import MLP
from neurito.core.noise import Covariance
from neurito.core.operators import Diagonal
from neurito.core.scan import Inference, Model, scan
from neurito.data import Trials
from neurito.models import Layout, NeuralSDE

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
WIDTH, TAU = 0.2, 0.5
H = WIDTH / TAU
ELBO = Inference(particles=1, objective="elbo", resampling="none")


def sde(A: Any, g: Any, b: Any = 0.0, inputs: int = 0, **options: Any) -> SDE:
    """dx = (A x + b) dt + g dW from x_0 ~ N(0, 1), bins of H time constants."""
    dim = len(A)
    drift = put(
        Linear(dim, inputs, key=KEY), A=jnp.asarray(A), b=jnp.broadcast_to(jnp.asarray(b, float), (dim,))
    )
    initial = Covariance("diagonal", dim)
    return SDE(drift, Constant(dim, g), initial, bin_width=WIDTH, time_constant=TAU, **options)


def control(dynamics: SDE, features: int = 3, hidden: int = 4, **options: Any) -> Control:
    driven = 0 if dynamics.drift.B is None else dynamics.drift.B.shape[-1]
    return Control(features, dynamics, hidden, driven, key=jax.random.key(1), **options)


def silent(guide: Control, gap: Any = 0.0) -> Control:
    """No control of the first state, the same one whatever happens of the others."""
    outputs = guide.out.b.shape
    guide = eqx.tree_at(lambda c: [c.initial.W, c.out.W, c.out.b], guide, [
        jnp.zeros_like(guide.initial.W), jnp.zeros_like(guide.out.W),
        jnp.broadcast_to(jnp.asarray(gap, float), outputs),
    ])  # fmt: skip
    return guide


def gru(channels: int, features: int = 3, direction: Any = "both") -> GRU:
    return GRU(channels, features, 4, direction, ("signal",), key=KEY)


def flat(bins: int = 6, trials: int = 1, channels: int = 1) -> Trials:
    return recording(np.zeros((trials, bins, channels)), bin_width=WIDTH)


# Girsanov


@pytest.mark.parametrize("substeps", [1, 2, 5])
def test_a_constant_gap_costs_what_girsanov_says_whatever_the_substeps(substeps: int) -> None:
    """T |d / g|^2 / 2; and the path drifts by d T."""
    g, d = np.array([0.5, 0.8]), np.array([0.7, -0.4])
    dynamics = sde(np.zeros((2, 2)), g, substeps=substeps)
    guides = [silent(control(dynamics, spread=False), mu) for mu in (np.zeros(2), d / g * H**0.5)]
    free, pushed = (
        run(Model(dynamics, {}, guide, gru(1)), build.batch(flat()), KEY, inference=ELBO, record=True)
        for guide in guides
    )
    np.testing.assert_array_equal(free.increments, 0)
    np.testing.assert_allclose(pushed.increments[0, 1:], -H * ((d / g) ** 2).sum() / 2, rtol=1e-12)
    np.testing.assert_allclose(pushed.bound, -5 * H * ((d / g) ** 2).sum() / 2, rtol=1e-12)
    shift = (pushed.record.z - free.record.z)[:, 0, 0]
    np.testing.assert_allclose(shift, np.arange(6)[:, None] * H * d, atol=1e-12)


def test_equal_drifts_have_no_divergence_with_a_spread_either() -> None:
    dynamics = sde(np.zeros((2, 2)), 0.5)
    model = Model(dynamics, {}, silent(control(dynamics)), gru(1))
    assert run(model, build.batch(flat()), KEY, inference=ELBO).bound == 0


class Other(Guide):
    """The posterior drift is A_q x + b_q."""

    A: Any
    b: Any

    def prepare(self, dynamics: Any, factor: Any, features: Any, batch: Any, steps: Any) -> Prepared:
        def rest(context: Any, step: Any, z: Any, mean: Any, scale: Any) -> Kick:
            gap = z @ (self.A - dynamics.drift.A).T + self.b - dynamics.drift.b
            return Kick(gap * (H / dynamics.substeps) ** 0.5 / 0.6, Diagonal(jnp.ones(z.shape[-1])))

        return Prepared(lambda mean, scale: Kick(), None, rest, every=True)


@pytest.mark.parametrize("substeps", [1, 3])
def test_the_divergence_of_two_ornstein_uhlenbeck_processes(substeps: int) -> None:
    """The closed form along the path, its Monte Carlo estimate and the exact value of two Gaussian chains agree."""
    dynamics = sde([[-0.5]], 0.6, substeps=substeps)
    model = Model(dynamics, {}, Other(jnp.array([[-1.5]]), jnp.array([0.4])), None)
    batch, bins, draws = build.batch(flat(bins=5)), 5, 4000
    elbo = run(model, batch, KEY, inference=replace(ELBO, particles=draws), record=True)
    h, m, P, exact = H / substeps, 0.0, 1.0, 0.0
    for _ in range((bins - 1) * substeps):
        gap_mean, gap_var = -m + 0.4, P
        exact += h * (gap_mean**2 + gap_var) / 0.6**2 / 2
        m, P = (1 - 1.5 * h) * m + 0.4 * h, (1 - 1.5 * h) ** 2 * P + 0.6**2 * h
    iwae = run(model, batch, KEY, inference=replace(ELBO, particles=draws, objective="iwae"), record=True)
    for out in (elbo, iwae):
        each = -np.asarray(out.record.log_w)[-1, 0]
        assert each.mean() == pytest.approx(exact, abs=4 * each.std() / draws**0.5)
    assert np.asarray(elbo.record.log_w)[-1].std() < np.asarray(iwae.record.log_w)[-1].std()


# Against Kalman's exact answers


A, G, B = np.array([[-0.3, 1.0], [-1.0, -0.5]]), 0.5, np.array([0.1, -0.2])


def exact(substeps: int = 1) -> LinearGaussian:
    """The discretised system."""
    h = H / substeps
    step = np.eye(2) + h * A
    M, b, Q = np.eye(2), np.zeros(2), np.zeros((2, 2))
    for _ in range(substeps):
        M, b, Q = step @ M, step @ b + h * B, step @ Q @ step.T + G**2 * h * np.eye(2)
    rng = np.random.default_rng(0)
    return LinearGaussian(
        A=M, b=b, Q=Q, mu=np.zeros(2), S=np.eye(2), H=rng.normal(size=(3, 2)), d=rng.normal(size=3),
        r=np.array([0.3, 0.4, 0.5]),
    )  # fmt: skip


@pytest.mark.parametrize("substeps", [1, 3])
def test_the_optimal_guide_gives_the_exact_likelihood(substeps: int) -> None:
    truth, copies = exact(substeps), 10
    values = build.simulate(truth, trials=1, bins=6)
    model = Model(sde(A, G, B, substeps=substeps), {"signal": build.gaussian(truth)}, Optimal(), None)
    batch = build.batch(recording(np.repeat(values, copies, 0), bin_width=WIDTH))
    out = run(model, batch, KEY, inference=Inference(particles=400), record=True)
    answer = solve(truth, values[0])
    np.testing.assert_allclose(np.asarray(out.increments).mean(0), answer.increments, atol=0.06)
    if substeps == 1:
        z = smooth(model.dynamics, batch, out.record, Inference(particles=400), 200, KEY)
        np.testing.assert_allclose(np.asarray(z).mean((0, 2)), answer.smooth_mean, atol=0.06)
        spread = np.asarray(z).transpose(1, 3, 0, 2).reshape(6, 2, -1)
        np.testing.assert_allclose(
            np.array([np.cov(x) for x in spread]), answer.smooth_cov, atol=0.05
        )  # fmt: skip


def test_the_elbo_stays_below_the_likelihood_and_comes_close() -> None:
    truth = exact()
    values = build.simulate(truth, trials=2, bins=4)
    dynamics = sde(A, G, B)
    guide = control(dynamics, features=4, hidden=8)
    model = Model(dynamics, {"signal": build.gaussian(truth)}, guide, gru(3, 4))
    batch = build.batch(recording(values, bin_width=WIDTH))
    likelihood = sum(solve(truth, y).increments.sum() for y in values)
    many = replace(ELBO, particles=8)
    free = eqx.tree_at(
        lambda m: (m.guide, m.encoder), jax.tree.map(lambda _: False, model),
        jax.tree.map(eqx.is_inexact_array, (model.guide, model.encoder)),
    )  # fmt: skip
    learned, fixed = eqx.partition(model, free)
    rule = optax.adam(optax.cosine_decay_schedule(0.03, 400))

    @jax.jit
    def optimise(learned: Any) -> tuple[Any, jax.Array]:
        def loss(learned: Any, key: jax.Array) -> jax.Array:
            return -scan(eqx.combine(learned, fixed), batch, key, many).bound.sum()

        def step(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
            learned, state = carry
            value, slope = jax.value_and_grad(loss)(learned, key)
            update, state = rule.update(slope, state)
            return (optax.apply_updates(learned, update), state), -value

        keys = jax.random.split(KEY, 400)
        (learned, _), values = jax.lax.scan(step, (learned, rule.init(learned)), keys)
        return learned, values

    learned, course = optimise(learned)
    final = run(eqx.combine(learned, fixed), batch, KEY, inference=replace(ELBO, particles=2000)).bound.sum()
    assert float(course[0]) < likelihood - 2
    assert likelihood - 0.15 < float(final) < likelihood


# Gradients


def test_gradients_reach_everything_and_are_right() -> None:
    """The encoder, the control of the first bin and of the others, the drift, and the network of the stimulus."""
    dynamics = sde(A, G, B, inputs=3, substeps=2, stimulus=MLP(1, 3, (3,), key=KEY))
    dynamics = eqx.tree_at(lambda d: d.drift.B, dynamics, jax.random.normal(KEY, (2, 3)))
    truth = exact()
    deep = control(dynamics, layers=2, activation="softplus")
    model = Model(dynamics, {"signal": build.gaussian(truth)}, deep, gru(3))
    values = build.simulate(truth, trials=2, bins=5)
    inputs = np.random.default_rng(0).normal(size=(2, 5, 1))
    batch = build.batch(recording(values, bin_width=WIDTH, inputs=inputs))
    learned, fixed = eqx.partition(model, eqx.is_inexact_array)

    @jax.jit
    def bound(learned: Any) -> jax.Array:
        return scan(eqx.combine(learned, fixed), batch, KEY, ELBO).bound.sum()

    slope = jax.jit(jax.grad(bound))(learned)
    rng = np.random.default_rng(1)
    parts = {
        "encoder": lambda m: m.encoder,
        "first": lambda m: m.guide.initial,
        "context": lambda m: m.guide.context,
        "state": lambda m: m.guide.state,
        "deeper": lambda m: m.guide.deeper,
        "out": lambda m: m.guide.out,
        "stimulus": lambda m: m.dynamics.stimulus,
        "drift": lambda m: m.dynamics.drift,
        "diffusion": lambda m: m.dynamics.diffusion,
    }
    for name, part in parts.items():
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(part(slope))), name
        along = jax.tree.map(lambda x: 1e-5 * rng.normal(size=x.shape), part(learned))
        there, back = (
            eqx.tree_at(part, learned, jax.tree.map(lambda x, d, s=s: x + s * d, part(learned), along))
            for s in (1, -1)
        )
        expected = sum(jax.tree.leaves(jax.tree.map(lambda g, d: (g * d).sum(), part(slope), along)))
        assert (bound(there) - bound(back)) / 2 == pytest.approx(float(expected), rel=1e-5), name


def test_a_specification_with_layers_and_a_diffusion_per_latent() -> None:
    trials = recording(np.ones((2, 5, 1)), bin_width=WIDTH)
    spec = NeuralSDE(
        latents=3, drift_widths=(4, 5), drift_activation="softplus", control=6, control_layers=3,
        control_activation="softplus", diffusion="per_latent", diffusion_width=7, context=3, hidden=3, decoder=(3,),
    )  # fmt: skip
    model = spec.build(Layout.of(trials), KEY)
    assert [layer.W.shape for layer in model.guide.deeper] == [(6, 6), (6, 6)]
    assert model.dynamics.diffusion.w.shape == (3, 7)
    slope = jax.jit(jax.grad(lambda m: scan(m, build.batch(trials), KEY, ELBO).bound.sum(), allow_int=True))(
        model
    )
    for part in (slope.guide.deeper, slope.dynamics.diffusion, slope.dynamics.drift):
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(part))


# Time


EVENT, BINS = 3, 9


def encoder(name: str) -> Encoder:
    if name == "one bin":
        return CNN(1, 3, (1,), (), "centred", ("signal",), key=KEY)
    return gru(1, direction=name)


def changes(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bins in which an event in one bin changes the features, and the states."""
    event = np.zeros((1, BINS, 1))
    event[0, EVENT] = 5
    dynamics = sde(A, G, B)
    model = Model(dynamics, {}, control(dynamics), encoder(name))
    features, states = [], []
    for values in (np.zeros_like(event), event):
        batch = build.batch(recording(values, bin_width=WIDTH))
        features.append(np.asarray(build.encode(model.encoder, batch))[0])
        out = run(model, batch, KEY, inference=ELBO, record=True)
        states.append(np.asarray(out.record.z)[:, 0, 0])
    return tuple(np.flatnonzero((b != a).any(-1)) for a, b in (features, states))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "seen", "moved"),
    [
        ("one bin", [EVENT], range(EVENT, BINS)),
        ("forward", range(EVENT, BINS), range(EVENT, BINS)),
        ("backward", range(EVENT + 1), range(BINS)),
        ("both", range(BINS), range(BINS)),
    ],
)
def test_an_event_acts_where_it_happens(name: str, seen: Any, moved: Any) -> None:
    """Not at the mirrored bin, and with a causal encoder never earlier."""
    features, states = changes(name)
    np.testing.assert_array_equal(features, list(seen))
    np.testing.assert_array_equal(states, list(moved))


def test_the_control_of_a_bin_sees_the_input_of_the_bin_it_leaves() -> None:
    dynamics = sde(np.zeros((1, 1)), G, inputs=1)
    model = Model(dynamics, {}, control(dynamics), encoder("one bin"))
    inputs = np.zeros((1, BINS, 1))
    inputs[0, EVENT] = 5
    states = []
    for u in (np.zeros_like(inputs), inputs):
        batch = build.batch(recording(np.zeros((1, BINS, 1)), bin_width=WIDTH, inputs=u))
        states.append(np.asarray(run(model, batch, KEY, inference=ELBO, record=True).record.z)[:, 0, 0])
    np.testing.assert_array_equal(np.flatnonzero((states[0] != states[1]).any(-1)), range(EVENT + 1, BINS))


def test_where_nothing_is_read_any_more_the_control_rests() -> None:
    dynamics = sde(A, G, B)
    model = Model(dynamics, {}, control(dynamics), gru(1))
    data = recording(np.ones((1, 6, 1)), bin_width=WIDTH).forward(2)
    out = run(model, build.batch(data), KEY, inference=ELBO)
    assert (np.asarray(out.increments)[0, :4] < 0).all()
    assert (np.asarray(out.increments)[0, 4:] == 0).all()


def test_the_control_sees_no_clock() -> None:
    """Interpolated inputs carry the time of their bin along, which grows with the trial."""
    inputs = np.random.default_rng(0).normal(size=(1, 40, 1))
    trials = recording(np.ones((1, 40, 1)), bin_width=WIDTH, inputs=inputs)
    spec = NeuralSDE(latents=2, interpolate=True, context=3, control=4, hidden=3, decoder=(3,))
    model = spec.build(Layout.of(trials), KEY)
    assert model.guide.context.W.shape[0] == 3 + 2  # features, the input and its slope
    assert np.isfinite(run(model, build.batch(trials), KEY, inference=ELBO).bound)
