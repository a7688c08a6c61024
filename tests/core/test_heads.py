"""Several signals at once: all of them train, only what is read is inferred from."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording

import neurito
from neurito.core.scan import Inference, Model, Outcome, scan
from neurito.data import Trials
from neurito.fitting import steps
from neurito.models import LangevinFlow, Layout, NeuralSDE
from neurito.models.autoencoder import Autoencoder

KEY = jax.random.key(0)
TINY: dict[str, Any] = {"decoder": (5,), "control": 6, "context": 4, "hidden": 4}
SDE = NeuralSDE(heads=("spikes", "hand"), latents=2, drift_widths=(4,), **TINY)
FLOW = LangevinFlow(latents=2, anharmonic=3, active=3, **TINY)
BOUND = jax.jit(scan, static_argnames=("inference", "covered", "dropout", "record"))


def trials(count: int = 6) -> Trials:
    """Spikes, and a hand that is never read but scored."""
    rng = np.random.default_rng(0)
    counts = Trials.from_array(rng.poisson(1.0, (count, 8, 4)), bin_width=0.01)
    hand = recording(rng.normal(size=(count, 8, 2))).main
    return counts.with_head("hand", replace(hand, read=np.zeros(hand.values.shape, bool)))


def model() -> Model:
    return SDE.build(Layout.of(trials()), KEY)


def bound(model: Model, data: Trials, **options: Any) -> Outcome:
    options = {"inference": SDE.inference(), "covered": "train"} | options
    return BOUND(model, build.batch(data), KEY, **options)


def louder(data: Trials) -> Trials:
    hand = data.heads["hand"]
    return data.with_head("hand", replace(hand, values=hand.values * 3 + 1))


@pytest.mark.parametrize(
    "inference",
    [SDE.inference(), Inference(particles=3, objective="iwae", resampling="none"), Inference(particles=3)],
    ids=["elbo", "iwae", "vsmc"],
)
def test_unread_values_train_and_change_no_bit_of_what_is_inferred(inference: Inference) -> None:
    before, after = (bound(model(), t, inference=inference) for t in (trials(), louder(trials())))
    assert (np.asarray(before.bound) > np.asarray(after.bound)).any()
    before, after = (
        bound(model(), t, inference=inference, covered="read", record=True)
        for t in (trials(), louder(trials()))
    )
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_every_head_has_a_gradient() -> None:
    def total(model: Model, covered: str) -> jax.Array:
        return scan(model, build.batch(trials()), KEY, SDE.inference(), covered=covered).bound.sum()  # type: ignore[arg-type]

    slope = eqx.filter_jit(eqx.filter_grad(total))
    trained = slope(model(), "train")
    for name in ("spikes", "hand"):
        assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(trained.heads[name].readout))
    assert (np.asarray(trained.heads["hand"].sd.raw) != 0).all()
    inferred = slope(model(), "read")
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(inferred.heads["hand"]))


def test_a_bound_is_the_sum_over_heads() -> None:
    """The spikes alone decide the path; the hand adds its own likelihood along it."""
    data = trials()
    both = bound(model(), data, record=True)
    spikes = replace(model(), heads={"spikes": model().heads["spikes"]})
    alone = bound(spikes, data.without_head("hand"), record=True)
    np.testing.assert_array_equal(both.record.z, alone.record.z)
    from scipy.stats import norm

    from neurito.core.observations import Scene

    hand = model().heads["hand"]
    z = jnp.moveaxis(both.record.z, 0, 1)
    mean = hand.mean(Scene(model().dynamics, build.batch(data)), z)[:, :, 0]
    extra = norm.logpdf(data.heads["hand"].values, mean, hand.sd.value).sum((1, 2))
    np.testing.assert_allclose(both.bound, alone.bound + extra, rtol=1e-4)


@pytest.mark.parametrize("spec", [FLOW, SDE], ids=["langevin-flow", "neural-sde"])
def test_nothing_compiles_again_for_other_numbers(spec: Autoencoder) -> None:
    options: dict[str, Any] = {
        "batch_size": 4,
        "steps_per_call": 2,
        "epochs": 1,
        "score": "none",
        "progress": False,
    }
    data = trials(8)
    first = neurito.fit(spec, data, **options)
    before = steps.train._cache_size()
    again = neurito.fit(spec, data, **options, seed=5, learning_rate=1e-3)
    neurito.fit(replace(spec, kl_weight=0.3), data, **options)
    assert steps.train._cache_size() == before
    assert first.history[-1]["bound"] != again.history[-1]["bound"]
