"""One gradient step is the same however many devices share it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core.build import run
from tests.fitting.small import recording

from neurito.core import runtime
from neurito.core.observations import readout
from neurito.core.observations.decoders import Transformer
from neurito.core.scan import Inference
from neurito.errors import NeuritoError
from neurito.fitting import steps
from neurito.fitting.packing import Packing
from neurito.models import LangevinFlow, Layout, LowRankRNN, Specification
from neurito.models.prepare import to_batch

TRIALS = recording(7, lengths=[10, 3, 9, 1, 7, 10, 5])
SPEC = LowRankRNN(rank=2, units=5, particles=3)


def trained(devices: int, spec: Specification = SPEC) -> tuple[np.ndarray, steps.Log]:
    """Three steps with five trials each; the sixth slot is padding, with a NaN where it may not count."""
    model = spec.build(Layout.of(TRIALS), jax.random.key(0))
    packing = Packing.of(model)
    vector, rest = packing.pack(model)
    start = np.array(vector)  # the state is given away
    rule = steps.optimiser("adam", 0.0, 1.0)
    slots = np.array([[0, 1, 2, 3, 4, 0], [5, 6, 0, 1, 2, 0], [3, 3, 3, 6, 5, 0]], np.int32)
    rows = steps.Rows(
        jnp.arange(3), jnp.full(3, 0.01, vector.dtype), jnp.ones(3, vector.dtype), jnp.asarray(slots),
        jnp.zeros((3, 6), jnp.int32), jnp.asarray(np.arange(6) < 5, jnp.float32) * jnp.ones((3, 1), jnp.float32),
    )  # fmt: skip
    state, log = steps.train(
        steps.State(vector, rule.init(vector)), rest, to_batch(TRIALS, ["signal"]), rows, jax.random.key(1),
        packing=packing, inference=spec.inference(), rule=rule, bins=10, mesh=runtime.mesh(devices),
        dropout=spec.dropout(),
    )  # fmt: skip
    return np.asarray(state.vector) - start, jax.tree.map(np.asarray, log)


@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-4), (True, 1e-10)])
def test_two_devices_take_the_same_steps(double: bool, tolerance: float) -> None:
    if jax.device_count() < 2:
        pytest.skip("one device only: nothing to share (JAX_NUM_CPU_DEVICES=2 makes two)")
    with jax.enable_x64(double):
        (one, log_one), (two, log_two) = trained(1), trained(2)
    assert one.dtype == (np.float64 if double else np.float32)
    np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance * abs(one).max())
    for a, b in zip(log_one, log_two, strict=True):
        np.testing.assert_allclose(b, a, rtol=tolerance)


def test_trials_may_be_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout included: what is left out of a trial does not depend on those beside it."""
    spec = LangevinFlow.as_released(hidden=4, feedforward=4)
    monkeypatch.setattr(readout, "_LEAST", 1)
    found = []
    for together in (0, 25):  # all, and two trials of ten bins
        monkeypatch.setattr(Transformer, "together", together)
        steps.train.clear_cache()
        with jax.enable_x64(True):
            found.append(trained(1, spec))
    steps.train.clear_cache()
    (all_, log_all), (few, log_few) = found
    np.testing.assert_allclose(few, all_, rtol=1e-10, atol=1e-10 * abs(all_).max())
    for a, b in zip(log_all, log_few, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10)


def test_the_bound_is_per_existing_bin() -> None:
    """Sums are joined before they are divided: a trial counts by its bins, padding not at all."""

    model = SPEC.build(Layout.of(TRIALS), jax.random.key(0))
    batch = to_batch(TRIALS, ["signal"])
    key = jax.random.fold_in(jax.random.key(1), 0)
    five = dataclasses.replace(
        batch.take(jnp.arange(5), jnp.zeros(5, int), jnp.arange(5, dtype=jnp.int32), 10)
    )
    outcome = run(model, five, key, inference=Inference(particles=3), covered="train")
    _, log = trained(1)
    assert log.bound[0] == pytest.approx(float(outcome.bound.sum() / (10 + 3 + 9 + 1 + 7)), rel=1e-5)


def test_padding_cannot_spoil_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the padding's own bound is no number."""
    from neurito.core import scan as module

    original = module.propagate

    def spoilt(*arguments: Any, **options: Any) -> Any:
        out = original(*arguments, **options)
        return out._replace(bound=jnp.where(arguments[1].batch.weight > 0, out.bound, jnp.nan))

    monkeypatch.setattr(steps, "propagate", spoilt)
    steps.train.clear_cache()
    change, _ = trained(1)
    steps.train.clear_cache()
    assert np.isfinite(change).all()


def test_more_devices_than_there_are() -> None:
    with pytest.raises(NeuritoError, match="devices=1000: "):
        runtime.mesh(1000)
    with pytest.raises(NeuritoError, match="device='gpuu' was asked for and is not there: use device='cpu'"):
        runtime.mesh(platform="gpuu")
