"""The compiled loops and their NumPy twins say the same, and their enclosures enclose."""

import numpy as np
import pytest

from neurito.analysis import loops, vectors
from neurito.analysis.compiled import COMPILED

R, N = 3, 17


def function(module, name):
    """A function of either kind, to be called from here: compiled loops are made for compiled callers."""
    given = getattr(module, name)
    if module is vectors or not COMPILED:
        return given
    from numba import njit

    return njit(lambda *arguments: given(*arguments))


@pytest.fixture
def case():
    g = np.random.default_rng(0)
    return {
        "P": g.normal(size=(R, N)), "v": g.normal(size=(R, N)), "q": g.normal(size=N), "pad": 1e-3 * g.random(N),
        "w": np.where(g.random(N) < 0.3, np.inf, g.random(N)), "x": g.normal(size=N), "rho": g.random(N) + 0.01,
        "s": g.random(N), "mid": g.normal(size=N), "d": g.random(N), "c": g.normal(size=R), "r": g.random(R),
    }  # fmt: skip


def both(name, *arguments, scratch=None):
    """Runs a function of either kind on copies, returns what it filled in and gave back."""
    outcomes = []
    for module in (loops, vectors):
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        given = function(module, name)(*copies)
        outcomes.append([*copies, *(given if isinstance(given, tuple) else (given,))])
    for k, (a, b) in enumerate(zip(*outcomes, strict=True)):
        if a is not None and k != scratch:
            np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-9, atol=1e-12)
    return outcomes[0]


def test_ranges_hold_every_point_of_the_box(case):
    zero = np.zeros(N)
    out = both("ranges", case["P"], case["q"], case["pad"], case["c"], case["r"], N, zero, zero)
    x, rho = out[6], out[7]
    z = case["c"] + case["r"] * np.random.default_rng(1).uniform(-1, 1, (200, R))
    assert np.all(np.abs(z @ case["P"] + case["q"] - x) <= rho)


@pytest.mark.parametrize("kind", ["ramps", "sigmoids"])
def test_enclosures_hold(case, kind):
    zero = np.zeros(N)
    extra = (case["w"],) if kind == "ramps" else ()
    out = both(kind, case["x"], case["rho"], *extra, N, zero, zero, zero)
    s, mid, d = out[3 + len(extra) : 6 + len(extra)] if kind == "sigmoids" else out[4:7]
    for x in np.linspace(case["x"] - case["rho"], case["x"] + case["rho"], 101):
        phi = np.tanh(x) if kind == "sigmoids" else np.minimum(np.maximum(x, 0.0), case["w"])
        assert np.all(np.abs(s * (x - case["x"]) + mid - phi) <= d + 1e-12)


def test_slopes_hold(case):
    zero = np.zeros(N)
    out = both("slopes", case["x"], case["rho"], N, zero, zero, zero)
    s, d = out[3], out[5]
    for x in np.linspace(case["x"] - case["rho"], case["x"] + case["rho"], 101):
        assert np.all(np.abs(1.0 - np.tanh(x) ** 2 - s) <= d / case["rho"] + 1e-12)


def test_sums(case):
    matrix, row, scratch = np.ones((R, R)), np.ones(R), np.zeros(N)
    P, v, s, mid, d = (case[k] for k in ("P", "v", "s", "mid", "d"))
    both("gather", P, v, s, mid, d, N, matrix, row, row, scratch, scratch=9)
    for module in (loops, vectors):
        function(module, "scatter")(v, d, N, matrix, scratch)
    np.testing.assert_allclose(matrix, np.ones((R, R)) + 2 * np.tril((v * d) @ (v * d).T))
    both("along", v, case["c"], d, N, scratch)
    both("weigh", mid, d, N, 2.0, case["s"])
    both("pull", P, d, case["rho"], N, 1)


def test_small_matrices(case):
    g = np.random.default_rng(2)
    A = g.normal(size=(R, R))
    C = both("inverse", A, np.zeros((R, R)), np.zeros((R, R)), scratch=2)[1]
    assert pytest.approx(np.eye(R), abs=1e-12) == A @ C
    assert not function(loops, "inverse")(np.ones((2, 2)), np.zeros((2, 2)), np.zeros((2, 2)))
    S, y = np.tril(A @ A.T), g.normal(size=R)
    out = [y.copy(), y.copy()]
    for module, x in zip((loops, vectors), out, strict=True):
        function(module, "solve")(S.copy(), x)
    assert out[0] == pytest.approx(out[1])


def test_units_that_no_longer_cross_are_added_up(case):
    units = np.vstack([case["P"], case["v"], case["q"], case["w"], case["pad"]])
    ids, A, b = np.arange(N), np.zeros((R, R)), np.zeros(R)
    rho = 0.3 * case["rho"]
    both("settle", case["x"], rho, case["w"], N, np.zeros_like(units), 0 * ids, A, b, units, ids)
