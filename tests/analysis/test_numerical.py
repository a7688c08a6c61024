"""Numerical search, result files, bases, and portraits."""

import json

import numpy as np
import pytest
from networks import random_network

from neurito.analysis import (
    FixedPoints,
    Network,
    along_input,
    bifurcations,
    diagram,
    fixed_points,
    orthonormal_basis,
    portrait,
)
from neurito.errors import NeuritoError, NeuritoWarning


def test_any_map():
    found = fixed_points(lambda z: np.tanh(1.5 * z), dim=2, starts=120)
    assert len(found) == 9
    assert found.method == "numerical"
    assert not found.complete
    assert "not exhaustive" in str(found)
    assert found.hits.sum() <= 120
    exact = np.diag(1.5 * (1.0 - np.tanh(1.5 * found.points[0]) ** 2))
    assert found.jacobians[0] == pytest.approx(exact, abs=1e-7)


def test_slow_points():
    """z' = z + 0.01 + z^2 has no fixed point, but is slowest at 0."""
    found = fixed_points(lambda z: z + 0.01 + z**2, dim=1, starts=30)
    assert len(found) == 0
    assert found.slow == pytest.approx(np.zeros((1, 1)), abs=1e-3)


def test_ranks_out_of_reach_are_searched_and_said_so():
    network = random_network(64, 9, "clipped_relu", 1.0, 0)
    with pytest.warns(NeuritoWarning, match="would take"):
        found = fixed_points(network, starts=10)
    assert found.method == "numerical"
    assert len(found) >= 1


def test_a_map_must_map():
    with pytest.raises(NeuritoError, match="must map states to states"):
        fixed_points(lambda z: z[:1], dim=2)
    with pytest.raises(NeuritoError, match="dim is missing"):
        fixed_points(np.tanh)
    with pytest.raises(NeuritoError, match="starts has shape"):
        fixed_points(np.tanh, starts=np.zeros(3))


@pytest.fixture(scope="module")
def found():
    return fixed_points(random_network(40, 2, "clipped_relu", 30.0, 2))


def test_files(found, tmp_path):
    found.save(tmp_path / "points.json")
    found.save(tmp_path / "points.csv")
    back = FixedPoints.load(tmp_path / "points.json")
    assert back.points == pytest.approx(found.points, abs=0)
    assert back.index == found.index
    assert str(back) == str(found)
    assert (tmp_path / "points.csv").read_text().splitlines()[0].startswith("z1,z2,kind")
    part = fixed_points(random_network(128, 3, "clipped_relu", 30.0, 1), max_boxes=500)
    part.save(tmp_path / "part.json")
    again = fixed_points(
        random_network(128, 3, "clipped_relu", 30.0, 1), resume=FixedPoints.load(tmp_path / "part.json")
    )
    assert again.complete
    with pytest.raises(NeuritoError, match="json or"):
        found.save(tmp_path / "points.txt")
    (tmp_path / "bad.json").write_text(json.dumps({"points": 1}))
    with pytest.raises(NeuritoError, match=r"bad\.json"):
        FixedPoints.load(tmp_path / "bad.json")


def test_dataset_and_table(found):
    data = found.dataset()
    assert data["z"].dims == ("point", "latent")
    assert data.attrs["complete"] == 1
    assert data.attrs["index_sum"] == 1
    assert len(found.table()) == len(found) > 0


def test_orthonormal_basis_changes_coordinates_only(found):
    network = random_network(40, 2, "clipped_relu", 30.0, 2)
    other = fixed_points(network, basis="orthonormal")
    assert other.eigenvalues == pytest.approx(found.eigenvalues, abs=1e-9)
    size = np.linalg.norm(network.m @ found.points.T, axis=0)
    assert np.linalg.norm(other.points, axis=1) == pytest.approx(size)
    turned = network.in_basis(orthonormal_basis(network))
    assert turned(other.points) == pytest.approx(other.points, abs=1e-9)
    with pytest.raises(NeuritoError, match="no other basis"):
        Network([0.5, 0.6], np.ones((3, 2)), np.ones((2, 3)), np.ones(3)).in_basis(np.eye(2))


def test_manifolds():
    network = Network([0.5, 0.5], np.eye(2), np.diag([1.0, 0.1]), np.zeros(2), "tanh")  # at 0: 1.5 and 0.6
    found = fixed_points(network)
    saddle = found.stability.index("saddle")
    lines = found.manifolds(saddle)
    assert np.abs(lines.unstable) == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-9)
    assert np.abs(lines.stable) == pytest.approx(np.array([[0.0, 1.0]]), abs=1e-9)


class Driven:
    """A latent pushed by one of two inputs."""

    def as_network(self, input):
        u = np.zeros(2) if input is None else input
        return Network(0.5, [[1.0]], [[1.0]], [0.0], "tanh", constant=u[1])


def test_folds_along_an_input():
    """z / 2 = tanh z + u folds where tanh' = 1/2."""
    found = bifurcations(along_input(Driven(), 1, [0.0, 0.0]), np.linspace(-0.6, 0.6, 7), name="input 2")
    z = np.arctanh(0.5**0.5)
    assert [e.kind for e in found.events] == ["fold", "fold"]
    assert [e.value for e in found.events] == pytest.approx(
        [z / 2 - np.tanh(z), np.tanh(z) - z / 2], abs=2e-6
    )
    assert found.certified.all()
    data = found.dataset()
    assert data["z"].dims == ("value", "branch", "latent")
    assert data.sizes["branch"] == 3
    assert [len(r) for r in found.results][:1] == [1]
    with pytest.raises(NeuritoError, match="channel=2"):
        along_input(Driven(), 2, [0.0, 0.0])
    with pytest.raises(NeuritoError, match="ascending"):
        bifurcations(lambda u: Driven().as_network(None), [1.0, 0.0])
    figure = diagram(found)
    assert figure.axes[0].get_xlabel() == "input 2"
    assert fixed_points(Driven(), input=[0.0, 1.0]).points[0, 0] > 0


TURN = np.array([[0.8, -0.6], [0.6, 0.8]])


@pytest.mark.parametrize(
    ("family", "values", "kind"),
    [
        (lambda g: Network(0.5, [[1.0]], [[g]], [0.0], "tanh"), (0.2, 0.9), "pitchfork"),
        (lambda g: Network(0.2, [[1.0]], [[-g]], [0.0], "tanh"), (0.5, 2.0), "flip"),
        (lambda g: Network(0.0, np.eye(2), g * TURN, np.zeros(2), "tanh"), (0.8, 1.2), "Hopf"),
    ],
)  # fmt: skip
def test_changes_of_stability(family, values, kind):
    assert [e.kind for e in bifurcations(family, values).events] == [kind]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_portraits(rank, tmp_path):
    network = random_network(30, rank, "relu", 3.0, 4)
    data = np.random.default_rng(0).normal(size=(3, 20, rank))
    figure = portrait(network, fixed_points(network), data=data, title="title")
    figure.savefig(tmp_path / "portrait.png")
    assert "arbitrary units" in figure.axes[0].get_xlabel()
    assert "certified" in figure.get_supxlabel().replace("\n", " ")
    with pytest.raises(NeuritoError, match="one to three latents"):
        portrait(random_network(30, 4, "relu", 3.0, 4))
    with pytest.raises(NeuritoError, match="limits is missing"):
        portrait(np.tanh)
