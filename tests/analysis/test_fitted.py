"""The network of fitted dynamics takes the same steps as the dynamics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurito.analysis import fixed_points
from neurito.analysis.fitted import network_of
from neurito.core.dynamics import FullRankRNN, Linear, LowRankRNN, Step
from neurito.core.noise import Covariance
from neurito.errors import NeuritoError

KEY = jax.random.key(3)


def noise(dim: int) -> tuple[Covariance, Covariance]:
    return Covariance("diagonal", dim, 0.1), Covariance("diagonal", dim, 1.0)


@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "tanh", "identity"])
@pytest.mark.parametrize("kind", ["low", "full", "linear"])
def test_steps_agree(kind: str, activation: str) -> None:
    if kind == "low":
        dynamics = LowRankRNN(2, 8, *noise(2), key=KEY, activation=activation, input_dim=3)
    elif kind == "full":
        dynamics = FullRankRNN(4, *noise(4), key=KEY, activation=activation, input_dim=3)
    else:
        dynamics = Linear(2, 3, *noise(2), key=KEY)
    z = np.random.default_rng(0).standard_normal((5, dynamics.latent_dim)).astype(np.float32)
    for u in (None, np.array([0.5, -1.0, 2.0])):
        step = Step(jnp.zeros(()), jnp.ones(()), None if u is None else jnp.asarray(u, jnp.float32)[None])
        mean, _ = dynamics.affine(jnp.asarray(z), step)
        np.testing.assert_allclose(network_of(dynamics, u)(z.astype(float)), mean, atol=2e-6)


def test_fixed_points_of_fitted_dynamics() -> None:
    dynamics = LowRankRNN(2, 16, *noise(2), key=KEY)
    network = network_of(dynamics)
    found = fixed_points(network)
    assert found.complete
    for point in found.points:
        np.testing.assert_allclose(network(point), point, atol=1e-10)


def test_inputs_are_counted() -> None:
    with pytest.raises(NeuritoError, match="take 0 input channels"):
        network_of(LowRankRNN(2, 8, *noise(2), key=KEY), [1.0])
