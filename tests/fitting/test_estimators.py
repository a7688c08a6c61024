"""The doubly reparameterised gradient: the same on average, with less noise where there are many particles."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurito
from neurito.core.scan import Inference, scan
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.fitting.packing import Packing
from neurito.fitting.steps import doubly
from neurito.models import Layout, NeuralSDE
from neurito.models.prepare import to_batch

SMALL: dict[str, Any] = {
    "latents": 2, "drift_widths": (4,), "hidden": 3, "context": 3, "control": 4, "decoder": (4,), "keep": 1.0,
    "objective": "iwae", "diffusion_sd": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def trials() -> Trials:
    counts = np.random.default_rng(0).poisson(0.8, (2, 4, 6))
    return Trials.from_array(counts, bin_width=0.1)


def gradients(trials: Trials, particles: int, repeats: int, estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of many keys, and which entries belong to guide and encoder."""
    specification = NeuralSDE(particles=particles, **SMALL)
    layout = Layout.of(trials)
    model = specification.build(layout, jax.random.key(0))
    packing = Packing.of(model)
    vector, rest = packing.pack(model)
    vector = vector + 0.3 * jax.random.normal(
        jax.random.key(1), vector.shape
    )  # a guide that is somewhere else
    batch = to_batch(trials, specification.observed(layout), 2)
    inference = Inference(particles, "iwae", "none", estimator=estimator)
    guided = packing.within("guide", "encoder")

    def one(key: Any) -> Any:
        def objective(vector: Any) -> Any:
            out = scan(packing.unpack(vector, rest), batch, key, inference, covered="train")
            return out.bound.sum(), (out.bound, out.log_w)

        if estimator == "reparameterised":
            return jax.grad(objective, has_aux=True)(vector)[0]
        return doubly(objective, vector, batch.weight, jnp.asarray(guided))[1]

    keys = jax.random.split(jax.random.key(2), repeats)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=256))(keys), np.float64), guided


def test_it_is_unbiased_and_less_noisy(trials: Trials) -> None:
    usual, guided = gradients(trials, 16, 4096, "reparameterised")
    better, _ = gradients(trials, 16, 4096, "doubly_reparameterised")
    np.testing.assert_allclose(better[:, ~guided], usual[:, ~guided], rtol=1e-3, atol=1e-4)
    error = np.sqrt((usual.var(0) + better.var(0)) / len(usual)) + 1e-7
    z = ((better.mean(0) - usual.mean(0)) / error)[guided]
    assert np.abs(z).max() < 4.5
    assert (z**2).mean() < 1.3
    assert better[:, guided].var(0).sum() < 0.5 * usual[:, guided].var(0).sum()


def test_the_log_weights_are_those_of_the_usual_one(trials: Trials) -> None:
    """Weighing by fixed parameters changes gradients, no value."""
    specification = NeuralSDE(particles=3, **SMALL)
    layout = Layout.of(trials)
    model = specification.build(layout, jax.random.key(0))
    batch = to_batch(trials, specification.observed(layout), 2)
    a, b = (
        jax.jit(scan, static_argnames=("inference", "covered"))(
            model,
            batch,
            jax.random.key(3),
            inference=Inference(3, "iwae", "none", estimator=e),
            covered="train",
        ).log_w
        for e in ("reparameterised", "doubly_reparameterised")
    )
    np.testing.assert_allclose(a, b, rtol=1e-4)


def test_a_fit_takes_it_and_other_objectives_refuse_it(trials: Trials) -> None:
    model = NeuralSDE(particles=4, estimator="doubly_reparameterised", **SMALL)
    run = neurito.fit(model, trials, epochs=4, batch_size=2, steps_per_call=2, score="none", progress=False)
    assert np.isfinite([entry["bound"] for entry in run.history]).all()
    with pytest.raises(NeuritoError, match="defined for objective='iwae', found 'elbo'"):
        NeuralSDE(estimator="doubly_reparameterised").inference()
