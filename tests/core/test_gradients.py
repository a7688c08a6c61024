"""Gradients against finite differences, with the noise held fixed.

Ancestors do not change under a small enough step, so the same test covers resampling.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.core import build
from tests.core.build import GUIDES

from neurito.core.batch import Batch, Covered
from neurito.core.dynamics import LowRankRNN
from neurito.core.encoders import GRU, Encoder
from neurito.core.noise import Covariance
from neurito.core.observations import (
    Affine,
    Currents,
    Gaussian,
    NegativeBinomial,
    Observation,
    Poisson,
    Rates,
)
from neurito.core.scan import Inference, Model, scan
from neurito.data import Trials
from neurito.fitting.packing import Packing

pytestmark = pytest.mark.usefixtures("x64")

CHANNELS, LATENTS, BINS = 4, 2, 5
KEY = jax.random.key(0)
SYSTEMATIC = Inference(particles=3)
NONE = Inference(particles=3, resampling="none", objective="iwae")
ELBO = Inference(particles=2, resampling="none", objective="elbo")
ADAPTED = Inference(particles=3, adapted=True)
THRESHOLD = Inference(particles=4, threshold=0.8)


def observation(name: str) -> Observation:
    affine = Affine(LATENTS, CHANNELS, 1, key=KEY, bias=jnp.full(CHANNELS, 0.5))
    return {
        "gaussian": lambda: Gaussian(affine, 0.5, (1, CHANNELS)),
        "gaussian currents": lambda: Gaussian(Currents(CHANNELS), 0.5, ()),
        "gaussian rates": lambda: Gaussian(Rates(CHANNELS), 0.5, (1, CHANNELS)),
        "poisson": lambda: Poisson(affine, "softplus", 0.01, True),
        "poisson rates": lambda: Poisson(Rates(CHANNELS), "exp", 0.01, True),
        "negative binomial": lambda: NegativeBinomial(affine, "exp", 0.01, True, CHANNELS),
    }[name]()


def model(name: str, guide: str, form: str) -> Model:
    noise, initial = Covariance(form, LATENTS, 0.4), Covariance(form, LATENTS, 0.6)  # type: ignore[arg-type]
    if form == "full":
        noise = build.put(noise, lower=np.array([[0, 0], [0.4, 0]]))
    dynamics = LowRankRNN(
        LATENTS, CHANNELS, noise, initial, key=KEY, activation="tanh", input_dim=1, input_mode="filtered"
    )
    encoder: Encoder | None = None
    if guide == "encoder":
        encoder = build.cnn(CHANNELS, LATENTS) if form == "full" else GRU(
            CHANNELS, 2 * LATENTS, 3, "both", ("signal",), key=KEY
        )  # fmt: skip
    return Model(dynamics, {"signal": observation(name)}, GUIDES[guide], encoder)


def batch(counts: bool) -> Batch:
    rng = np.random.default_rng(0)
    values = rng.poisson(1.0, (2, BINS, CHANNELS)) if counts else rng.normal(size=(2, BINS, CHANNELS))
    values = values.astype(float)
    values[0, 2, 1] = np.nan
    trials = Trials.from_array(
        values, bin_width=0.01, kind="counts" if counts else "continuous", name="signal", missing="nan",
        lengths=[BINS, BINS - 2], inputs=rng.normal(size=(2, BINS, 1)),
    )  # fmt: skip
    return build.batch(trials.hold_out(channels=[3]))


@pytest.mark.parametrize(
    ("name", "guide", "form", "inference", "covered"),
    [
        ("gaussian", "optimal", "full", SYSTEMATIC, "read"),
        ("gaussian", "optimal", "diagonal", ADAPTED, "read"),
        ("gaussian", "optimal", "scalar", ELBO, "train"),
        ("gaussian", "bootstrap", "full", THRESHOLD, "train"),
        ("gaussian currents", "encoder", "diagonal", ELBO, "train"),
        ("gaussian rates", "encoder", "scalar", SYSTEMATIC, "train"),
        ("poisson", "encoder", "full", SYSTEMATIC, "train"),
        ("poisson rates", "bootstrap", "diagonal", NONE, "train"),
        ("negative binomial", "encoder", "scalar", THRESHOLD, "train"),
    ],
)
def test_directional_derivatives(
    name: str, guide: str, form: str, inference: Inference, covered: Covered
) -> None:
    start, data = model(name, guide, form), batch(counts=not name.startswith("gaussian"))
    packing = Packing.of(start)
    vector, rest = packing.pack(start)
    rng = np.random.default_rng(0)
    vector = vector + 0.05 * rng.normal(size=vector.shape)

    def total(v: jax.Array) -> jax.Array:
        out = scan(packing.unpack(v, rest), data, KEY, inference, covered=covered)
        return out.bound.sum()

    both = jax.jit(jax.value_and_grad(total))
    slope = both(vector)[1]
    step = 1e-6
    for _ in range(3):
        direction = jnp.asarray(rng.normal(size=vector.shape))
        difference = (both(vector + step * direction)[0] - both(vector - step * direction)[0]) / (2 * step)
        np.testing.assert_allclose(slope @ direction, difference, rtol=1e-5, atol=1e-6)
