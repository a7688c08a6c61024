"""Gradients that are written out, against what JAX derives from the plain equations."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurito.core.encoders.gru import Cell
from neurito.core.layers import normalised

pytestmark = pytest.mark.usefixtures("x64")


def plain_norm(x: Any, scale: Any, shift: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5) * scale + shift


def test_layer_norm() -> None:
    keys = jax.random.split(jax.random.key(0), 4)
    x, slope = (jax.random.normal(k, (3, 5, 2, 7)) for k in keys[:2])
    scale, shift = (jax.random.normal(k, (7,)) for k in keys[2:])
    found, expected = (jax.vjp(f, x, scale, shift) for f in (normalised, plain_norm))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
    for a, b in zip(found[1](slope), expected[1](slope), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def plain_gru(cell: Cell, x: Any, exists: Any, reverse: bool) -> Any:
    """Bin by bin, in a loop."""
    h, found = jnp.zeros((len(x), len(cell.V))), {}
    for t in sorted(range(x.shape[1]), reverse=reverse):
        reset, update, candidate = jnp.split(x[:, t] @ cell.W + cell.b, 3, -1)
        from_reset, from_update, inner = jnp.split(h @ cell.V, 3, -1)
        r, u = jax.nn.sigmoid(reset + from_reset), jax.nn.sigmoid(update + from_update)
        new = u * h + (1 - u) * jnp.tanh(candidate + r * (inner + cell.d))
        h = found[t] = new if exists is None else jnp.where(exists[:, t, None], new, h)
    return jnp.stack([found[t] for t in range(x.shape[1])])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("trials", "bins"), [(1, 5), (1, 7), (3, 6), (9, 4)])
def test_recurrence(trials: int, bins: int, masked: bool, reverse: bool) -> None:
    """Products of all bins at once, of four with padding, of two, of one."""
    keys = jax.random.split(jax.random.key(1), 4)
    cell = Cell(5, 8, key=keys[0])
    b, d = 0.3 * jax.random.normal(keys[3], (24,)), 0.2 * jnp.arange(8.0)
    weights = (cell.W, cell.V, b, d)
    x = jax.random.normal(keys[1], (trials, bins, 5))
    slope = jax.random.normal(keys[2], (bins, trials, 8))
    exists = jnp.arange(bins) < jnp.arange(bins - trials, bins)[:, None] + 1 if masked else None

    def run(f: Any) -> Any:
        def of(weights: Any, x: Any) -> Any:
            whole = eqx.tree_at(lambda c: (c.W, c.V, c.b, c.d), cell, weights)
            return f(whole, x, exists, reverse)

        value, pull = jax.vjp(of, weights, x)
        return value, *jax.tree.leaves(pull(slope))

    for a, b in zip(run(Cell.__call__), run(plain_gru), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
