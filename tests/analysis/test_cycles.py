"""Cycles against the list of all sequences of patterns."""

import itertools

import numpy as np
import pytest
from networks import random_network

from neurito.analysis import Network, cycles
from neurito.analysis.patterns import _inside, _pieces
from neurito.errors import NeuritoError


def enumerate_cycles(network: Network, period: int) -> np.ndarray:
    """States of all cycles of exactly this length, from every sequence of patterns."""
    slope, offset, low, high = _pieces(network)
    codes = np.indices((len(slope),) * network.units).reshape(network.units, -1).T
    maps = []
    for code in codes:
        on, push = np.take_along_axis(slope, code[None], 0)[0], np.take_along_axis(offset, code[None], 0)[0]
        maps.append(
            (np.diag(network.leak) + (network.n * on) @ network.m, network.constant + network.n @ push)
        )
    found = []
    for sequence in itertools.product(range(len(codes)), repeat=period):
        A, b = np.eye(network.rank), np.zeros(network.rank)
        for k in sequence:
            A, b = maps[k][0] @ A, maps[k][0] @ b + maps[k][1]
        z = start = np.linalg.solve(np.eye(network.rank) - A, b)
        for k in sequence:
            x = z @ network.m.T
            if not _inside(x[None], codes[k][None], low, high, 1e-9 * np.ones_like(x))[0]:
                break
            z = network(z)
        else:
            found.append(start)
    distinct = [z for i, z in enumerate(found) if not any(np.abs(z - y).max() < 1e-7 for y in found[:i])]
    states = []
    for z in distinct:
        path = [z]
        for _ in range(period):
            path.append(network(path[-1]))
        if min(np.abs(y - z).max() for y in path[1:-1]) > 1e-7:
            states.append(z)
    return np.array(states).reshape(-1, network.rank)


@pytest.mark.parametrize(
    ("activation", "units", "period"), [("relu", 4, 2), ("relu", 3, 3), ("clipped_relu", 3, 2)]
)
def test_all_cycles(activation, units, period):
    total, gain = 0, 2.5 if period == 2 else 6.0
    for seed in range(8):
        g = np.random.default_rng(seed)
        network = Network(
            0.2, g.normal(size=(units, 2)), gain * g.normal(size=(2, units)), g.normal(size=units), activation
        )
        truth = enumerate_cycles(network, period)
        found = cycles(network, period)
        assert found.complete
        assert len(found.points) * period == len(truth)
        total += len(found.points)
        for orbit in found.points:
            assert np.abs(network(orbit[-1]) - orbit[0]).max() < 1e-9
            assert np.abs(truth[:, None] - orbit[None]).max(-1).min(0).max() < 1e-6
        if activation == "clipped_relu":
            assert found.index_sum in (1, None)
    assert total > 0


def test_tanh_oscillator():
    """A slow negative feedback in one latent: one stable cycle of two steps about an unstable point."""
    found = cycles(Network(0.2, [[1.0]], [[-2.0]], [0.0], "tanh"), 2)
    assert found.complete
    assert found.points.shape == (1, 2, 1)
    assert found.stability == ["stable"]
    assert found.points[0, 0] == pytest.approx(-found.points[0, 1])


def test_limits_and_bad_input():
    network = random_network(64, 3, "clipped_relu", 20.0, 0)
    assert not cycles(network, 2, max_boxes=20).complete
    with pytest.raises(NeuritoError, match="period=1"):
        cycles(network, 1)
    with pytest.raises(NeuritoError, match="networks only"):
        cycles(np.tanh, 2)
