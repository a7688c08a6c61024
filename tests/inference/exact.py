"""Fitted models whose answers are known."""

from typing import Any

import jax
from tests.core import build
from tests.core.kalman import LinearGaussian

from neurito.core.dynamics import Linear
from neurito.data import Trials
from neurito.fitting import Fitted
from neurito.models import Layout, LinearDynamics, Specification

EXACT = build.linear_gaussian(noise=0.2)
VALUES = build.simulate(EXACT, trials=5, bins=8, seed=1)
TRIALS = build.recording(VALUES)
SPEC = LinearDynamics(latents=2, particles=20)


def known(spec: LinearDynamics = SPEC, exact: LinearGaussian = EXACT) -> Fitted:
    """The linear model that made `VALUES`."""
    guide = "optimal" if spec.guide == "auto" else spec.guide
    model = build.model(build.linear(exact), build.gaussian(exact), guide)
    return Fitted(spec, Layout.of(TRIALS), model)


def start(spec: Specification, trials: Trials, **dynamics: Any) -> Fitted:
    """A model at its start, with some of the leaves of its linear dynamics given."""
    layout = Layout.of(trials)
    model = spec.build(layout, jax.random.key(0))
    if dynamics:
        assert isinstance(model.dynamics, Linear)
        model = build.put(model, dynamics=build.put(model.dynamics, **dynamics))
    return Fitted(spec, layout, model)
