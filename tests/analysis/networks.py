"""Small random networks of every awkward kind, for tests and the benchmark."""

import numpy as np

from neurito.analysis import Network
from neurito.analysis.network import Activation

KINDS = (
    "generic",
    "repeated units",
    "zero rows",
    "parallel planes",
    "integer weights",
    "no thresholds",
    "points on planes",
    "continua",
    "symmetric",
)


def random_network(
    units: int, rank: int, activation: Activation, gain: float, seed: int, leak: float = 0.9
) -> Network:
    """Weights as they are drawn before a fit, n scaled by a gain."""
    g = np.random.default_rng(seed)
    m = g.uniform(-1, 1, (units, rank)) / rank**0.5
    n = g.uniform(-1, 1, (rank, units)) / units**0.5 * gain
    h = g.uniform(-1, 1, units) / units**0.5 if activation == "clipped_relu" else g.uniform(-0.5, 0.5, units)
    return Network(leak, m, n, h, activation)


def awkward_network(kind: str, activation: Activation, seed: int) -> Network:
    """A network with at most 12 (clipped: 8) units and 3 latents in which something is degenerate."""
    g = np.random.default_rng([seed, KINDS.index(kind), activation == "relu"])
    R, N = int(g.integers(1, 4)), int(g.integers(1, 13 if activation == "relu" else 9))
    m, h = g.normal(size=(N, R)), g.normal(size=N)
    n = g.normal(size=(R, N)) * g.choice([0.3, 1.0, 3.0]) / np.sqrt(N)
    leak = np.full(R, g.uniform(0.2, 0.98)) if g.random() < 0.7 else g.uniform(0.2, 0.98, R)
    constant = g.normal(size=R) * (g.random() < 0.5)
    match kind:
        case "repeated units":
            which, sign = g.integers(0, N, N), g.choice([-1.0, 1.0, 2.0, 0.5], N)
            sign = sign if g.random() < 0.5 else np.ones(N)
            m, h = m[which] * sign[:, None], h[which] * sign
        case "zero rows":
            m[g.random(N) < 0.4 * (g.random() < 0.5)] = 0.0
            n[g.integers(R)] *= g.random() < 0.5
            n[:, g.random(N) < 0.4 * (g.random() < 0.5)] = 0.0
            m[:, g.integers(R)] *= g.random() < 0.7
        case "parallel planes":
            normals = g.normal(size=(int(g.integers(1, 3)), R))
            m = normals[g.integers(0, len(normals), N)] * g.choice([-1.0, 1.0, 0.5], N)[:, None]
        case "integer weights":
            m, h = g.integers(-2, 3, (N, R)).astype(float), 0.5 * g.integers(-2, 3, N)
            n = g.integers(-2, 3, (R, N)) * g.choice([0.25, 0.5, 1.0])
            leak, constant = np.full(R, g.choice([0.25, 0.5, 0.75])), 0.5 * g.integers(-2, 3, R)
        case "no thresholds":
            h = np.zeros(N) if activation == "relu" else h
            constant = np.zeros(R)
        case "symmetric":
            half = N // 2
            m[half : 2 * half], n[:, half : 2 * half] = -m[:half], -n[:, :half]
            h[half : 2 * half] = h[:half] if activation == "relu" else -h[:half]
            n[:, 2 * half :], constant = 0.0, np.zeros(R)
        case "points on planes" | "continua":
            z = g.normal(size=R)
            if kind == "points on planes":
                which = g.permutation(N)[: int(g.integers(1, N + 1))]
                h[which] = (m @ z)[which] if activation == "relu" else -(m @ z)[which]
            else:
                _flatten(Network(leak, m, n, h, activation), n, z, g)
            constant = z - Network(leak, m, n, h, activation)(z)
    return Network(leak, m, n, h, activation, constant)


def _flatten(network: Network, n: np.ndarray, z: np.ndarray, g: np.random.Generator) -> None:
    """Changes one column of n so that the map is the identity along one direction in the region around z."""
    direction = g.normal(size=network.rank)
    x = network.m @ z
    slope = (
        (x > network.h).astype(float)
        if network.activation == "relu"
        else (x > -network.h).astype(float) - (x > 0)
    )
    active = np.flatnonzero(slope)
    if len(active):
        i = active[0]
        excess = (network.jacobian(z) - np.eye(network.rank)) @ direction
        n[:, i] -= excess / (network.m[i] @ direction) / slope[i]
