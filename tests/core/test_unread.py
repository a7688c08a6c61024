"""What is not read must not change one bit of what is inferred."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import encode, recording, run

from neurito.core.encoders import CNN, GRU, Encoder
from neurito.core.guides import Encoded, Optimal
from neurito.core.observations import Gaussian, Poisson, Rates
from neurito.core.scan import Inference, Model, Outcome
from neurito.data import Head, Trials

EXACT = build.linear_gaussian()
LENGTHS = np.array([9, 9, 5, 5])
VALUES = build.simulate(EXACT, trials=4, bins=9)
FEW = Inference(particles=5)
KEY = jax.random.key(0)


def trials() -> Trials:
    """Held-out channels, missing bins, forecast bins, and trials of unequal length."""
    values = VALUES.copy()
    values[0, 2:4] = np.nan
    return recording(values, lengths=LENGTHS).hold_out(channels=[1]).forward(2)


def disturbed(trials: Trials) -> Trials:
    """The same with other values wherever nothing is read, missing ones included."""

    def other(head: Head) -> Head:
        rng = np.random.default_rng(1)
        new = (
            rng.poisson(50, head.values.shape)
            if head.kind == "counts"
            else rng.normal(size=head.values.shape) * 1e30
        )
        return replace(head, values=np.where(head.read, head.values, new.astype(np.float32)))

    return replace(trials, heads={name: other(head) for name, head in trials.heads.items()})


def same(a: Outcome, b: Outcome) -> None:
    jax.tree.map(np.testing.assert_array_equal, a, b)


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "causal": lambda: build.cnn(3, 2, kernels=(3, 2), padding="causal"),
    "acausal": lambda: build.cnn(3, 2, kernels=(3, 2), padding="acausal"),
    "centred": lambda: build.cnn(3, 2, kernels=(3, 2), padding="centred"),
    "forward": lambda: GRU(3, 4, 3, "forward", ("signal",), key=KEY),
    "backward": lambda: GRU(3, 4, 3, "backward", ("signal",), key=KEY),
    "both": lambda: GRU(3, 4, 3, "both", ("signal",), key=KEY),
}


def model(name: str) -> Model:
    dynamics = build.identity_rnn(EXACT, units=3)
    if name == "optimal":
        return Model(dynamics, {"signal": build.gaussian(EXACT)}, Optimal(), None)
    if name == "rates":
        observation = Gaussian(Rates(3), jnp.ones((1, 3)), (1, 3))
        return Model(dynamics, {"signal": observation}, Encoded(), ENCODERS["both"]())
    return Model(dynamics, {"signal": build.gaussian(EXACT)}, Encoded(), ENCODERS[name]())


@pytest.mark.parametrize("name", [*ENCODERS, "optimal", "rates"])
def test_unread_values_change_nothing(name: str) -> None:
    before, after = (
        run(model(name), build.batch(t), KEY, inference=FEW, record=True)
        for t in (trials(), disturbed(trials()))
    )
    assert np.isfinite(before.bound).all()
    same(before, after)


def test_unread_values_of_two_heads_change_nothing() -> None:
    spikes = Trials.from_array(np.random.default_rng(0).poisson(2.0, VALUES.shape), bin_width=0.01)
    both = trials().with_head("spikes", spikes.main)
    both = both.hold_out(channels=[0], head="spikes")
    heads = {"signal": build.gaussian(EXACT), "spikes": Poisson(build.affine(EXACT), "softplus", 0.01, True)}
    encoder = CNN(6, 4, (3, 1), (4,), "centred", ("signal", "spikes"), key=KEY)
    whole = Model(build.linear(EXACT), heads, Encoded(), encoder)
    before, after = (
        run(whole, build.batch(t), KEY, inference=FEW, record=True) for t in (both, disturbed(both))
    )
    assert np.isfinite(before.bound).all()
    same(before, after)


def test_held_out_values_do_matter_in_training() -> None:
    before, after = (
        run(model("both"), build.batch(t), KEY, inference=FEW, covered="train")
        for t in (trials(), trials().hold_out(channels=[2]))
    )
    assert (np.asarray(before.bound) != np.asarray(after.bound)).all()


@pytest.mark.parametrize("name", [*ENCODERS, "optimal"])
def test_longer_padding_changes_nothing(name: str) -> None:
    longer = np.concatenate([VALUES, np.full((4, 4, 3), 7.0, np.float32)], 1)
    padded = recording(longer, lengths=LENGTHS)
    before, after = (
        run(model(name), build.batch(t), KEY, inference=FEW, record=True)
        for t in (recording(VALUES, lengths=LENGTHS), padded)
    )
    np.testing.assert_allclose(after.bound, before.bound, rtol=1e-5)
    np.testing.assert_allclose(after.increments[:, :9], before.increments, atol=1e-5)
    np.testing.assert_allclose(after.record.z[:9], before.record.z, atol=1e-5)
    assert (np.asarray(after.increments)[:, 9:] == 0).all()


@pytest.mark.parametrize("name", list(ENCODERS))
def test_an_encoder_starts_at_each_trials_own_end(name: str) -> None:
    encoder = ENCODERS[name]()
    features = encode(encoder, build.batch(recording(VALUES, lengths=LENGTHS)))
    for trial, length in ((0, 9), (3, 5)):
        alone = encode(encoder, build.batch(recording(VALUES[trial : trial + 1, :length])))
        np.testing.assert_allclose(features[trial, :length], alone[0], atol=1e-6)


def test_causal_encoders_do_not_look_ahead() -> None:
    late = VALUES.copy()
    late[:, 5:] += 1
    for name in ("causal", "forward"):
        before, after = (encode(ENCODERS[name](), build.batch(recording(v))) for v in (VALUES, late))
        np.testing.assert_array_equal(before[:, :5], after[:, :5])
        assert (np.asarray(before)[:, 5] != np.asarray(after)[:, 5]).all()
    for name in ("acausal", "backward"):
        before, after = (encode(ENCODERS[name](), build.batch(recording(v))) for v in (VALUES, late))
        assert (np.asarray(before)[:, 4] != np.asarray(after)[:, 4]).any()


def test_after_the_last_read_bin_the_guide_is_the_prior() -> None:
    batch = build.batch(recording(VALUES).forward(4))
    outcome = run(model("both"), batch, KEY, inference=FEW)
    assert (np.asarray(outcome.increments)[:, 5:] == 0).all()
    assert (np.asarray(outcome.increments)[:, :5] != 0).all()
