"""Certified fixed points: nothing missed, nothing made up, nothing called complete that is not."""

import os
import subprocess
import sys

import numpy as np
import pytest
from networks import KINDS, awkward_network, random_network

from neurito.analysis import FixedPoints, Network, fixed_points
from neurito.analysis.patterns import enumerate_patterns
from neurito.errors import NeuritoError


def teacher(recordings, name):
    arrays = np.load(recordings / "low_rank_rnn" / "teachers.npz", allow_pickle=False)
    return Network(*(arrays[f"{name}/{key}"] for key in ("decay", "m", "n", "h")), "relu")


TEACHERS = {
    "osc_rnn": (1, {"unstable"}, 1.00765),
    "osc_rnn_poisson": (1, {"unstable"}, 1.00880),
    "reach_rnn": (17, {"stable", "saddle", "unstable"}, None),
    "rdm_rnn": (3, {"stable", "unstable"}, None),
}


@pytest.mark.recording
@pytest.mark.parametrize("name", TEACHERS)
def test_teachers(recordings, name):
    network = teacher(recordings, name)
    count, kinds, radius = TEACHERS[name]
    found = fixed_points(network)
    assert len(found) == count
    assert found.complete
    assert set(found.stability) == kinds
    assert found.residual.max() < 1e-10
    if radius is not None:
        assert found.kind == ["unstable focus"]
        assert np.abs(found.eigenvalues[0, 0]) == pytest.approx(radius, abs=1e-5)
    if name == "reach_rnn":
        assert [found.stability.count(k) for k in ("stable", "saddle", "unstable")] == [8, 8, 1]
    if name == "rdm_rnn":
        assert found.points[:, 0] == pytest.approx([-11.06482, -0.36214, 9.23370], abs=1e-5)
    g = np.random.default_rng(0)
    order, (Q, _) = g.permutation(network.units), np.linalg.qr(g.normal(size=(network.rank, network.rank)))
    other = fixed_points(
        Network(network.leak, network.m[order] @ Q, Q.T @ network.n[:, order], network.h[order], "relu")
    )
    assert len(other) == count
    for z, values in zip(other.points @ Q.T, other.eigenvalues, strict=True):
        nearest = np.abs(found.points - z).max(1).argmin()
        assert found.points[nearest] == pytest.approx(z, abs=1e-6)
        np.testing.assert_allclose(
            np.sort(np.abs(values)), np.sort(np.abs(found.eigenvalues[nearest])), atol=1e-6
        )


def agree(network: Network, found: FixedPoints) -> None:
    """The same isolated points as the list of all patterns, and continua where that has them."""
    truth = enumerate_patterns(network)
    near = 1e-6 * (1.0 + np.abs(truth.points).max(initial=0.0))
    distance = np.abs(truth.points[:, None] - found.points[None]).max(-1)
    assert np.all(distance.min(0, initial=np.inf) <= near), "a point that is none"
    if found.complete:
        assert np.all(distance.min(1, initial=np.inf) <= near), "a point is missing"
        assert bool(truth.continua) == bool(found.continua)
        if network.activation == "clipped_relu" and not found.continua:
            assert found.index_sum == 1
    else:
        assert found.notes or len(found.unresolved)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["relu", "clipped_relu"])
def test_brute_force(kind, activation):
    complete = 0
    for seed in range(16):
        network = awkward_network(kind, activation, seed)
        found = fixed_points(network, max_boxes=300_000)
        agree(network, found)
        complete += found.complete
    assert complete >= 15


@pytest.mark.parametrize("activation", ["relu", "clipped_relu"])
def test_brute_force_with_descents_in_every_box(activation, monkeypatch):
    """Large networks follow one direction through many boxes; here small ones do, so that it can be checked."""
    monkeypatch.setattr("neurito.analysis.search.crowd", lambda rank: 0)
    for seed in range(8):
        for kind in KINDS:
            network = awkward_network(kind, activation, 1000 + seed)
            agree(network, fixed_points(network, max_boxes=300_000))


def milp_fixed_points(network: Network, reach: float) -> int:
    """How many fixed points HiGHS finds inside |z| <= reach: binaries choose the pattern, found ones are cut off."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    N, R = network.units, network.rank
    big = np.abs(network.m).sum(1) * reach + np.abs(network.h) + 1.0
    # variables: z, activity r, b in {0, 1};  x = m z - h, r >= 0, r >= x, r <= x + big (1 - b), r <= big b
    eye, none = np.eye(N), np.zeros((N, R))
    rows = [
        np.hstack([network.m, -eye, 0 * eye]),
        np.hstack([-network.m, eye, np.diag(big)]),
        np.hstack([none, eye, -np.diag(big)]),
    ]
    upper = [network.h, big - network.h, np.zeros(N)]
    fixed = np.hstack([np.diag(network.leak - 1.0), network.n, np.zeros((R, N))])
    cuts, count = [], 0
    low = np.concatenate([np.full(R, -reach), np.zeros(2 * N)])
    high = np.concatenate([np.full(R, reach), big, np.ones(N)])
    integer = np.concatenate([np.zeros(R + N), np.ones(N)])
    while True:
        constraints = [
            LinearConstraint(np.vstack(rows), -np.inf, np.concatenate(upper)),
            LinearConstraint(fixed, -network.constant, -network.constant),
            *cuts,
        ]
        answer = milp(
            np.zeros(R + 2 * N), constraints=constraints, integrality=integer, bounds=Bounds(low, high)
        )
        if answer.status == 2:
            return count
        assert answer.status == 0
        count += 1
        pattern = np.round(answer.x[R + N :])
        cut = np.concatenate([np.zeros(R + N), 1.0 - 2.0 * pattern])
        cuts.append(LinearConstraint(cut, 1.0 - pattern.sum(), np.inf))


@pytest.mark.parametrize("seed", range(10))
def test_mixed_integer_programming(seed):
    g = np.random.default_rng(seed)
    network = Network(0.8, g.normal(size=(14, 2)), g.normal(size=(2, 14)) / 3, g.normal(size=14), "relu")
    found = fixed_points(network)
    reach = 2.0 * np.abs(found.points).max(initial=1.0)
    assert milp_fixed_points(network, reach) == len(found)
    assert found.complete


@pytest.mark.parametrize("activation", ["clipped_relu", "tanh"])
def test_bounded_networks_have_index_one(activation):
    for seed in range(6):
        network = random_network(100, 1 + seed % 3, activation, 6.0, seed)
        found = fixed_points(network)
        assert found.complete
        assert found.index_sum == 1
        assert found.residual.max() < 1e-10


def test_tanh_in_one_latent_is_where_the_sign_changes():
    for seed in range(400):
        g = np.random.default_rng(seed)
        N = int(g.integers(1, 30))
        n = g.normal(size=(1, N)) * g.choice([0.3, 1.0, 2.0])
        network = Network(g.uniform(-0.5, 0.9), g.normal(size=(N, 1)), n, g.normal(size=N), "tanh")
        found = fixed_points(network, workers=1)
        assert found.complete
        reach = 1.01 * np.abs(network.n).sum() / (1.0 - abs(network.leak[0]))
        z = np.linspace(-reach, reach, 20_001)[:, None]
        change = (network(z) - z)[:, 0]
        at = np.flatnonzero(change[:-1] * change[1:] < 0.0)
        assert len(at) == len(found)
        assert np.all(np.abs(z[at, 0] - np.sort(found.points[:, 0])) <= z[1, 0] - z[0, 0])


def test_tanh_and_numerical_search_agree():
    network = random_network(64, 3, "tanh", 12.0, 0)
    found, searched = fixed_points(network), fixed_points(network, method="numerical", starts=300, scale=4.0)
    assert found.complete
    assert len(found) >= len(searched) >= len(found) // 2
    distance = np.abs(searched.points[:, None] - found.points[None]).max(-1)
    assert distance.min(1).max() < 1e-6
    assert not searched.complete
    assert "not exhaustive" in str(searched)


def test_line_attractor():
    """z1' = z1 where unit 1 is on and unit 2 off: a segment of fixed points, and nothing else."""
    n, drive, constant = [[0.5, -1.0], [0.0, 0.0]], [1.0, 1.0], [-0.5, 0.0]
    network = Network([0.5, 0.5], [[1, 0], [1, 0]], n, [0.0, 2.0], "relu", constant, drive)
    found = fixed_points(network)
    assert found.complete
    assert len(found) == 0
    assert found.index_sum is None
    ends = np.concatenate([c.points for c in found.continua])
    assert ends[:, 0].min() == pytest.approx(-1.0)
    assert ends[:, 0].max() == pytest.approx(1.0)
    assert np.abs(ends[:, 1]).max() < 1e-9


def test_plane_of_fixed_points_and_infinity():
    identity = Network([1.0, 0.5], np.zeros((1, 2)), np.zeros((2, 1)), [0.0], "identity")
    found = fixed_points(identity)
    assert found.complete
    assert len(found) == 0
    assert any(len(c.rays) for c in found.continua)
    shift = Network(
        1.0, [[1.0]], [[0.0]], [0.0], "identity", constant=0.1
    )  # F(z) = z + 0.1: none but at infinity
    found = fixed_points(shift)
    assert found.complete
    assert len(found) == 0
    assert np.sort(found.infinity[:, 0]).tolist() == [-1.0, 1.0]


def test_point_on_a_kink_is_reported_once_with_both_sides():
    network = Network(0.5, [[1.0]], [[0.75]], [0.0], "relu")  # slopes 0.5 and 1.25 meet in the fixed point 0
    found = fixed_points(network)
    assert found.complete
    assert found.points.tolist() == [[0.0]]
    assert found.on_boundary.tolist() == [True]
    assert np.sort(found.adjacent[0].ravel()) == pytest.approx([0.5, 1.25])
    assert found.kind == ["boundary"]
    assert found.index == (0,)


def test_resume_gives_what_one_run_gives():
    network = random_network(128, 3, "clipped_relu", 30.0, 1)
    whole = fixed_points(network, workers=1)
    part = fixed_points(network, max_boxes=500, workers=1)
    assert not part.complete
    assert part.open
    assert "resume" in str(part)
    rounds = 0
    while part.open:
        part = fixed_points(network, max_boxes=5000, resume=part)
        rounds += 1
    assert rounds > 1
    assert part.complete
    assert part.points == pytest.approx(whole.points, abs=1e-9)
    with pytest.raises(NeuritoError, match="another network"):
        fixed_points(random_network(8, 1, "relu", 1.0, 0), resume=part)


def test_interrupted_run_keeps_what_it_has():
    network = random_network(256, 4, "clipped_relu", 30.0, 0)

    def stop(progress):
        assert 0.0 <= progress.share <= 1.0
        if progress.boxes > 20_000:
            raise KeyboardInterrupt

    found = fixed_points(network, progress=stop)
    assert not found.complete
    assert found.open
    assert any("interrupted" in note for note in found.notes)
    assert found.residual.max(initial=0.0) < 1e-10


def test_threads_change_nothing():
    network = random_network(256, 4, "clipped_relu", 20.0, 3)
    one, two = (fixed_points(network, workers=n) for n in (1, 2))
    assert one.points == pytest.approx(two.points, abs=1e-9)
    assert one.complete
    assert two.complete


def test_without_numba():
    """The NumPy route, in a process that cannot see numba: same points, same verdict."""
    code = (
        "import sys; sys.modules['numba'] = None; sys.path.insert(0, sys.argv[1])\n"
        "from networks import random_network; from neurito.analysis import fixed_points\n"
        "for a in ('relu', 'clipped_relu', 'tanh'):\n"
        "    f = fixed_points(random_network(12, 2, a, 4.0, 1)); print(f.complete, f.points.ravel().tolist())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)], capture_output=True, text=True, check=True
    )
    for line, activation in zip(run.stdout.splitlines(), ("relu", "clipped_relu", "tanh"), strict=True):
        found = fixed_points(random_network(12, 2, activation, 4.0, 1))
        verdict, points = line.split(" ", 1)
        assert verdict == str(found.complete)
        assert eval(points) == pytest.approx(found.points.ravel().tolist(), abs=1e-9)


def test_bad_input():
    m, n, h = np.ones((3, 2)), np.ones((2, 3)), np.zeros(3)
    with pytest.raises(NeuritoError, match="n holds 1 values that are NaN"):
        Network(0.9, m, np.where(np.eye(2, 3) > 0, [[np.nan], [1.0]], 0.0), h)
    with pytest.raises(NeuritoError, match=r"m has shape \(3, 0\)"):
        Network(0.9, np.ones((3, 0)), np.ones((0, 3)), h)
    with pytest.raises(NeuritoError, match="h has shape"):
        Network(0.9, m, n, np.zeros(4))
    with pytest.raises(NeuritoError, match="did you mean 'tanh'"):
        Network(0.9, m, n, h, "tahn")
    with pytest.raises(NeuritoError, match=r"\|leak\| < 1"):
        fixed_points(Network(1.0, m, n, h + 1.0, "tanh"))
    with pytest.raises(NeuritoError, match="certificate for rank 9 would take"):
        fixed_points(random_network(64, 9, "relu", 1.0, 0), method="certified")
    with pytest.raises(NeuritoError, match="give a Network"):
        fixed_points(3.0)
    with pytest.raises(NeuritoError, match="use 'numerical'"):
        fixed_points(np.tanh, method="certified", dim=2)
    with pytest.raises(NeuritoError, match="choose from"):
        fixed_points(np.tanh, method="exact")


def test_units_that_do_nothing():
    network = Network(0.5, np.zeros((3, 2)), np.ones((2, 3)), [-1.0, 0.0, 1.0], "relu")
    found = fixed_points(network)
    assert found.complete
    assert found.points == pytest.approx(np.array([[2.0, 2.0]]))
    found = fixed_points(Network(0.5, np.ones((3, 2)), np.zeros((2, 3)), np.ones(3), "clipped_relu"))
    assert found.complete
    assert found.points == pytest.approx(np.zeros((1, 2)), abs=1e-12)
