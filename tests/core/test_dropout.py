"""Coordinated dropout: what an encoder sees is not what it is scored on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import recording

from neurito.core.batch import Batch, Signal
from neurito.core.dropout import Dropout
from neurito.core.scan import Inference, Model, scan
from neurito.errors import NeuritoError

EXACT = build.linear_gaussian()
VALUES = build.simulate(EXACT, trials=200, bins=6) + 5.0  # nowhere 0
KEY = jax.random.key(0)
ELBO = Inference(particles=1, objective="elbo", resampling="none")

thin = jax.jit(
    lambda batch, key, dropout, coordinated: dropout.inputs(batch, ("signal",), key, coordinated),
    static_argnums=(2, 3),
)


def batch(trials: int = 200) -> Batch:
    """Held-out channels, forward bins, trials of unequal length."""
    lengths = np.where(np.arange(trials) % 2, 6, 4)
    return build.batch(recording(VALUES[:trials], lengths=lengths).hold_out(channels=[1]).forward(1))


def thinned(coordinated: bool = True, **options: Any) -> tuple[Signal, Signal, np.ndarray]:
    """Before, after, and what is read."""
    before = batch()
    after = thin(before, KEY, Dropout(**options), coordinated).signals["signal"]
    signal = before.signals["signal"]
    return signal, after, np.asarray(signal.read.dense()) > 0


def test_an_entry_is_either_shown_or_scored() -> None:
    signal, after, read = thinned(keep=0.7)
    shown, scored = np.asarray(after.shown) != 0, np.asarray(after.emphasis) > 0
    assert (shown ^ scored)[read].all()
    assert shown[read].mean() == pytest.approx(0.7, abs=0.03)
    np.testing.assert_allclose(np.asarray(after.shown)[shown], np.asarray(signal.y)[shown] / 0.7, rtol=1e-6)


@pytest.mark.parametrize(("keep", "pass_rate"), [(0.7, 0.0), (0.3, 0.0), (0.7, 0.4)])
def test_expectations_stay(keep: float, pass_rate: float) -> None:
    """Of the encoder's input, and of the likelihood."""
    signal, after, read = thinned(keep=keep, pass_rate=pass_rate)
    share = 1 - keep + keep * pass_rate
    emphasis = np.asarray(after.emphasis)[read]
    np.testing.assert_allclose(np.unique(emphasis), [0, 1 / share], rtol=1e-6)
    assert emphasis.mean() == pytest.approx(1, abs=5 * ((1 / share - 1) / emphasis.size) ** 0.5)
    assert np.asarray(after.shown)[read].mean() == pytest.approx(np.asarray(signal.y)[read].mean(), rel=0.1)
    both = (np.asarray(after.shown) != 0)[read] & (emphasis > 0)
    assert both.mean() == pytest.approx(keep * pass_rate, abs=0.03)


def test_what_is_not_read_is_never_shown_and_counts_as_ever() -> None:
    _, after, read = thinned(keep=0.5)
    assert (np.asarray(after.emphasis)[~read] == 1).all()
    assert (np.asarray(after.shown)[~read] == 0).all()
    assert (~read).any()


def test_the_draw_depends_on_the_key_and_the_trial_alone() -> None:
    whole, part = batch(), batch(5)
    options = Dropout(0.5)
    a, b = (thin(x, KEY, options, True).signals["signal"].shown for x in (whole, part))
    np.testing.assert_array_equal(a[:5], b)
    other = thin(part, jax.random.key(1), options, True).signals["signal"].shown
    assert (np.asarray(other) != np.asarray(b)).any()


def model(guide: str = "encoder") -> Model:
    return build.model(build.linear(EXACT), build.gaussian(EXACT), guide)


BOUND = jax.jit(scan, static_argnames=("inference", "covered", "dropout"))


def test_weighted_likelihoods_average_to_the_full_one() -> None:
    """The encoder is blind here, so that its input does not matter, and the noise is the same in every trial."""
    blind = build.put(model().encoder, weights=tuple(jnp.zeros_like(w) for w in model().encoder.weights))
    silent = Model(build.linear(EXACT), {"signal": build.gaussian(EXACT)}, model().guide, blind)
    same = build.batch(recording(np.repeat(VALUES[:1], 400, 0)))
    same = Batch(**{**vars(same), "ids": jnp.arange(400)})
    full = BOUND(silent, same, KEY, inference=ELBO, covered="train").bound
    part = BOUND(silent, same, KEY, inference=ELBO, covered="train", dropout=Dropout(0.7)).bound
    # Noise differs between the two: dropout takes keys of its own.
    spread = float((full.var() + part.var()) / 400) ** 0.5
    assert part.var() > full.var()
    assert float(full.mean() - part.mean()) == pytest.approx(0, abs=4 * spread)


def test_resampled_weights_keep_the_full_likelihood() -> None:
    _, after, _ = thinned(coordinated=False, keep=0.5)
    assert after.shown is not None
    assert after.emphasis is None
    outcome = BOUND(model(), batch(4), KEY, inference=Inference(particles=3), dropout=Dropout(0.5))
    assert np.isfinite(outcome.bound).all()


def test_features_are_dropped_too() -> None:
    features = jnp.ones((50, 20, 10))
    ids = jnp.arange(50)
    left = np.asarray(Dropout(features=0.25).hidden(features, ids, KEY))
    np.testing.assert_allclose(np.unique(left), [0, 4 / 3], rtol=1e-6)
    assert left.mean() == pytest.approx(1, abs=0.03)
    np.testing.assert_array_equal(Dropout(features=0.25).hidden(features[7:9], ids[7:9], KEY), left[7:9])


def test_no_dropout_changes_nothing() -> None:
    before = batch(3)
    assert Dropout().inputs(before, ("signal",), KEY, True) is before
    features = jnp.ones((2, 3, 4))
    assert Dropout().hidden(features, jnp.arange(2), KEY) is features


def test_dropout_needs_an_encoder() -> None:
    with pytest.raises(NeuritoError, match="this guide has none: set keep=1"):
        BOUND(model("bootstrap"), batch(3), KEY, inference=ELBO, dropout=Dropout(0.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0.0}, "keep=0.0"),
        ({"pass_rate": 1.0}, "pass_rate=1.0"),
        ({"features": -0.1}, "features=-0.1"),
    ],
)
def test_wrong_probabilities(options: dict[str, float], message: str) -> None:
    with pytest.raises(NeuritoError, match=f"{message}: give a probability"):
        Dropout(**options)
