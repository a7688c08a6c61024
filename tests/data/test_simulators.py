"""Simulators against closed forms, SciPy's integrators and the dynamics they promise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_discrete_lyapunov

from neurito.data.simulators import (
    Network,
    Simulation,
    coupled_oscillators,
    linear_gaussian,
    linear_poisson,
    lorenz,
    low_rank_rnn,
    network,
    teacher,
)
from neurito.data.simulators.linear import rotations
from neurito.data.simulators.lorenz import _advance, drift
from neurito.data.simulators.oscillators import hopf_flow
from neurito.data.simulators.teachers import construct, limit_cycle, ring_of_attractors, two_choices
from neurito.errors import NeuritoError

SMALL: dict[str, Callable[[int], Simulation]] = {
    "lorenz": lambda seed: lorenz(5, 30, 20, 60, base_rate=20.0, seed=seed),
    "noisy lorenz": lambda seed: lorenz(5, 30, 20, 60, base_rate=20.0, noise=1.0, seed=seed),
    "oscillators": lambda seed: coupled_oscillators(trials=80, neurons=20, seed=seed),
    "poisson": lambda seed: linear_poisson(trials=80, neurons=20, seed=seed),
    "gaussian": lambda seed: linear_gaussian(trials=40, seed=seed),
    "oscillator": lambda seed: teacher("oscillator", trials=40, seed=seed),
    "oscillator_poisson": lambda seed: teacher("oscillator_poisson", trials=40, seed=seed),
    "reach": lambda seed: teacher("reach", trials=40, seed=seed),
    "decision": lambda seed: teacher("decision", trials=40, seed=seed),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_simulator(name: str) -> None:
    simulation = SMALL[name](3)
    trials, rates = simulation.trials, simulation.rates
    assert trials.main.values.shape == rates.shape
    assert simulation.latents.shape[:2] == rates.shape[:2]
    assert np.isfinite(rates).all()
    again, other = SMALL[name](3), SMALL[name](4)
    assert again.trials.fingerprint() == trials.fingerprint()
    np.testing.assert_array_equal(again.rates, rates)
    assert other.trials.fingerprint() != trials.fingerprint()
    if trials.main.kind == "counts":  # variance of a count is its mean
        z = (trials.main.values - simulation.expected) / np.sqrt(simulation.expected)
        assert z.mean() == pytest.approx(0, abs=5 / np.sqrt(z.size))
        assert z.var() == pytest.approx(1, abs=0.1)
    else:
        residual = trials.main.values - rates
        assert residual.std() == pytest.approx(float(simulation.parameters["observation_noise"]), rel=0.02)


# Lorenz


def test_lorenz_integration_is_scipys() -> None:
    start = np.array([[1.0, 2.0, 20.0], [-5.0, 3.0, 30.0]])
    for state, found in zip(start, _advance(start, 0.5), strict=True):
        exact = solve_ivp(lambda _, s: drift(s), (0, 0.5), state, rtol=1e-10, atol=1e-10).y[:, -1]
        np.testing.assert_allclose(found, exact, rtol=1e-4)


def test_lorenz_conditions_and_readout() -> None:
    simulation = lorenz(4, 6, 10, 50, base_rate=7.0)
    latents = simulation.latents.reshape(4, 6, 50, 3)
    assert np.ptp(latents, axis=1).max() == 0  # all trials of a condition alike
    assert np.abs(latents[1:, 0] - latents[:-1, 0]).max() > 0.1
    np.testing.assert_allclose(latents.mean((0, 1, 2)), 0, atol=1e-12)
    assert np.abs(latents).max() == 1
    np.testing.assert_array_equal(simulation.trials.metadata["condition"], np.repeat(range(4), 6))
    log_rate = np.log(simulation.rates) - simulation.latents @ simulation.parameters["weights"]
    np.testing.assert_allclose(log_rate, np.log(7.0))
    # more trials do not change the system
    np.testing.assert_array_equal(lorenz(4, 9, 10, 50, base_rate=7.0).rates[::9], simulation.rates[::6])


def test_lorenz_process_noise_per_latent() -> None:
    quiet = lorenz(2, 50, 5, 3, noise=np.array([0.0, 0.0, 2.0]), speed=0.01).latents.reshape(2, 50, 3, 3)
    spread = quiet[:, :, 1].std(1)
    assert (spread[:, 2] > 50 * spread[:, :2].max()).all()
    assert np.ptp(quiet[:, :, 0], axis=1).max() == 0  # trials still start alike


def test_lorenz_resembles_the_usual_data_set() -> None:
    simulation = lorenz(trials_per_condition=5)
    assert simulation.rates.shape == (100, 100, 60)
    assert 1 < simulation.rates.mean() < 3  # 1.8 spikes/s there


# low-rank networks


def random_network(seed: int, rank: int = 2, units: int = 7) -> Network:
    rng = np.random.default_rng(seed)
    m, n = rng.standard_normal((units, rank)), 0.1 * rng.standard_normal((rank, units))
    return Network(m, n, rng.standard_normal(units), 0.9)


PHI = {
    "relu": lambda x, h: np.where(x > h, x - h, 0),
    "clipped_relu": lambda x, h: np.where(x + h > 0, x + h, 0) - np.where(x > 0, x, 0),
    "tanh": lambda x, h: np.tanh(x - h),
    "identity": lambda x, h: x - h,
}


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("filtered", [False, True])
def test_noiseless_network_step_by_step(activation: str, filtered: bool) -> None:
    m, n, h, a = random_network(0)
    rng = np.random.default_rng(1)
    u, W = rng.standard_normal((3, 12, 2)), rng.standard_normal((7, 2))
    simulation = low_rank_rnn(
        m, n, h, a, activation=activation, noise=0.0, initial_mean=np.array([0.5, -1.0]), initial_noise=0.0,
        inputs=u, input_weights=W, filtered=filtered, observation_noise=0.0,
    )  # fmt: skip
    for trial in range(3):
        v = np.zeros(2) if filtered else u[trial, 0]
        z = np.array([0.5, -1.0]) + np.linalg.inv(m.T @ m) @ m.T @ W @ v
        for t in range(12):
            np.testing.assert_allclose(simulation.latents[trial, t], z, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(simulation.rates[trial, t], m @ z + W @ v, rtol=1e-10, atol=1e-12)
            z = a * z + n @ PHI[activation](m @ z + W @ v, h)
            if filtered:
                v = a * v + (1 - a) * u[trial, t]
            elif t < 11:
                v = u[trial, t + 1]


@pytest.mark.parametrize(("filtered", "first"), [(False, 6), (True, 7)])
def test_when_an_impulse_arrives(filtered: bool, first: int) -> None:
    impulse = np.zeros((1, 10, 1))
    impulse[0, 5] = 1
    m, n, h, a = random_network(2)
    both = [
        low_rank_rnn(
            m, n, h, a, activation="tanh", inputs=u, input_weights=np.ones((7, 1)), filtered=filtered
        ).latents[0]
        for u in (impulse, np.zeros_like(impulse))
    ]
    assert np.flatnonzero(np.abs(both[0] - both[1]).max(1) > 0)[0] == first


@pytest.mark.parametrize("noise", [0.3, np.array([0.1, 0.4]), np.array([[0.04, 0.03], [0.03, 0.09]])])
def test_process_noise(noise: float | np.ndarray) -> None:
    m, n, h, a = random_network(3)
    z = low_rank_rnn(m, n, h, a, trials=400, noise=noise, initial_noise=2.0, activation="tanh").latents
    kicks = z[:, 1:] - a * z[:, :-1] - np.tanh(z[:, :-1] @ m.T - h) @ n.T
    want = np.diag(np.broadcast_to(noise, 2) ** 2) if np.ndim(noise) < 2 else noise
    np.testing.assert_allclose(np.cov(kicks.reshape(-1, 2).T), want, atol=0.02 * want.max())
    np.testing.assert_allclose(z[:, 0].std(0), 2.0, rtol=0.15)


def test_observations() -> None:
    m, n, h, a = random_network(4)
    options = {"trials": 20, "bins": 30, "activation": "clipped_relu", "bin_width": 0.02}
    currents = low_rank_rnn(m, n, h, a, gain=2.0, bias=-1.0, **options)
    z = currents.latents
    np.testing.assert_allclose(currents.rates, 2 * z @ m.T - 1)
    rates = low_rank_rnn(m, n, h, a, read_from="rates", **options)
    np.testing.assert_allclose(rates.rates, PHI["clipped_relu"](z @ m.T, h), atol=1e-12)
    C = np.random.default_rng(0).standard_normal((4, 2))
    for link, squash in (
        ("exp", np.exp),
        ("softplus", lambda x: np.log1p(np.exp(x))),
        ("relu", lambda x: x * (x > 0)),
    ):
        spikes = low_rank_rnn(m, n, h, a, observation="poisson", readout=C, link=link, **options)
        np.testing.assert_allclose(spikes.expected, squash(z @ C.T), rtol=1e-9)
        assert spikes.trials.main.kind == "counts"
        np.testing.assert_allclose(spikes.rates * 0.02, spikes.expected)


@pytest.mark.recording
def test_transition_of_a_published_student(recordings: Path) -> None:
    with np.load(recordings / "low_rank_rnn" / "student_gaussian.npz", allow_pickle=False) as file:
        m, n, h, a = (file[part].astype(float) for part in ("m", "n", "h", "decay"))
    z = low_rank_rnn(
        m, n, h, float(a), trials=1, bins=2, noise=0.0, initial_mean=np.array([1.0, -0.5]), initial_noise=0.0
    ).latents
    np.testing.assert_allclose(z[0, 1], [0.95618, -0.72897], atol=1e-5)


# teachers


def step(net: Network, z: np.ndarray) -> np.ndarray:
    return net.decay * z + np.maximum(z @ net.m.T - net.h, 0) @ net.n.T


def fixed_points(net: Network, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Fixed points by Newton's method from 4,000 starts (exact within a linear region), and how many directions
    of each are unstable."""
    latents = net.m.shape[1]
    z = np.random.default_rng(0).uniform(-2 * radius, 2 * radius, (4000, latents))
    for _ in range(50):
        on = (z @ net.m.T > net.h).astype(float)
        jacobian = np.einsum("ru,pu,us->prs", net.n, on, net.m) + (net.decay - 1) * np.eye(latents)
        z = z - np.linalg.solve(jacobian, (step(net, z) - z)[..., None])[..., 0]
    z = z[np.abs(step(net, z) - z).max(1) < 1e-9]
    points = np.unique(z.round(6) + 0.0, axis=0)
    on = (points @ net.m.T > net.h).astype(float)
    jacobian = np.einsum("ru,pu,us->prs", net.n, on, net.m) + net.decay * np.eye(latents)
    return points, (np.abs(np.linalg.eigvals(jacobian)) > 1).sum(1)


def settle(net: Network, z: np.ndarray, bins: int = 3000) -> np.ndarray:
    for _ in range(bins):
        z = step(net, z)
    return z


def starts(latents: int, radius: float) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((200, latents)) * 3 * radius


@pytest.mark.parametrize("units", [20, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_constructed_oscillator(units: int, seed: int) -> None:
    net = construct(limit_cycle, 2, units, 1.2, fold=5, seed=seed)
    points, unstable = fixed_points(net, 1.2)
    np.testing.assert_allclose(points, 0, atol=1e-6)
    assert unstable.tolist() == [2]  # a focus: both directions
    on = (net.h < 0).astype(float)
    assert np.abs(np.linalg.eigvals((net.n * on) @ net.m).imag).min() > 0.05
    z = settle(net, starts(2, 1.2))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.2, rtol=0.1)  # one cycle for all
    path = np.array([z := step(net, z) for _ in range(500)])
    phase = np.unwrap(np.arctan2(path[..., 1], path[..., 0]), axis=0)
    np.testing.assert_allclose(2 * np.pi * 499 / (phase[-1] - phase[0]), 50, rtol=0.04)


@pytest.mark.parametrize("seed", [0, 1])
def test_constructed_ring(seed: int) -> None:
    net = construct(ring_of_attractors, 2, 60, 2.3, fold=8, seed=seed)
    points, unstable = fixed_points(net, 2.3)
    assert np.bincount(unstable).tolist() == [8, 8, 1]
    stable = points[unstable == 0]
    np.testing.assert_allclose(np.linalg.norm(stable, axis=1), 2.3, rtol=0.1)
    angles = np.sort(np.arctan2(stable[:, 1], stable[:, 0]))
    np.testing.assert_allclose(np.diff(angles), np.pi / 4, rtol=0.1)
    np.testing.assert_allclose(points[unstable == 2], 0, atol=0.1)
    end = settle(net, starts(2, 2.3))
    assert np.linalg.norm(end[:, None] - stable, axis=-1).min(1).max() < 1e-3


@pytest.mark.parametrize("seed", [0, 1])
def test_constructed_decision(seed: int) -> None:
    net = construct(two_choices, 1, 60, 10.0, fold=2, seed=seed)
    points, unstable = fixed_points(net, 10.0)
    np.testing.assert_allclose(points[:, 0], [-10, 0, 10], atol=0.2)
    assert unstable.tolist() == [0, 1, 0]
    np.testing.assert_allclose(np.abs(settle(net, starts(1, 10.0))), 10, atol=0.2)


@pytest.mark.recording
def test_published_teachers(recordings: Path) -> None:
    file = recordings / "low_rank_rnn" / "teachers.npz"
    for name, radius, want in (
        ("oscillator", 1.2, [0, 0, 1]),
        ("oscillator_poisson", 1.2, [0, 0, 1]),
        ("reach", 2.3, [8, 8, 1]),
        ("decision", 10.0, [2, 1]),
    ):
        points, unstable = fixed_points(network(name, file), radius)
        assert np.bincount(unstable).tolist() == want
    np.testing.assert_allclose(points[:, 0], [-11.06482, -0.36214, 9.23370], atol=1e-4)
    assert teacher("oscillator", file, trials=3).rates.shape == (3, 75, 20)


def test_cues_lead_to_their_targets() -> None:
    for options, least in (({}, 0.9), ({"noise": 0.0, "initial_noise": 0.0}, 1.0)):
        simulation = teacher("reach", trials=64, **options)
        target = simulation.trials.metadata["target"]
        assert np.bincount(target).tolist() == [8] * 8
        end = simulation.latents[:, -1]
        away = np.angle(np.exp(1j * (np.arctan2(end[:, 1], end[:, 0]) - 2 * np.pi * target / 8)))
        assert (np.abs(away) < np.pi / 8).mean() >= least
        assert np.linalg.norm(simulation.latents[:, 20], axis=1).max() < 1  # before the cue
        assert simulation.trials.inputs is not None


def test_evidence_decides() -> None:
    simulation = teacher("decision", trials=300)
    coherence, choice = simulation.trials.metadata["coherence"], simulation.latents[:, -1, 0] > 0
    strong, weak = np.abs(coherence) > 0.5, np.abs(coherence) < 0.05
    right = choice == (coherence > 0)
    assert right[strong].mean() > 0.95
    assert 0.4 < right[weak].mean() < 0.9
    assert (np.abs(simulation.latents[:, -1]) > 5).mean() > 0.95


# oscillators


def test_exact_flow_of_one_oscillator() -> None:
    sigma, omega = np.array([2.0, -1.0, 0.0]), np.array([5.0, 9.0, 3.0])
    z = np.random.default_rng(0).standard_normal((4, 2, 3))
    found = hopf_flow(z, 0.7, sigma, omega)

    def field(_: float, flat: np.ndarray) -> np.ndarray:
        x, y = flat.reshape(2, 3)
        r2 = x**2 + y**2
        return np.concatenate([x * (sigma - r2) - omega * y, y * (sigma - r2) + omega * x])

    for start, end in zip(z, found, strict=True):
        exact = solve_ivp(field, (0, 0.7), start.ravel(), rtol=1e-10, atol=1e-12).y[:, -1]
        np.testing.assert_allclose(end.ravel(), exact, rtol=1e-7, atol=1e-9)
    twice = hopf_flow(hopf_flow(z, 0.3, sigma, omega), 0.4, sigma, omega)
    np.testing.assert_allclose(twice, found)
    far = hopf_flow(1e6 * z, 0.01, sigma, omega)  # explicit Euler would blow up here
    assert np.abs(far).max() < 20


def test_coupled_oscillators_converge_to_the_differential_equation() -> None:
    K = np.array([[0.0, 2.0], [-1.0, 0.5]])
    frequency, sigma = (2.0, 3.0), np.array([3.0, 1.0])
    errors = []
    for substeps in (4, 8, 16):
        simulation = coupled_oscillators(
            frequency, K, sigma=sigma, noise=0.0, trials=3, bins=21, substeps=substeps
        )
        z = simulation.latents

        def field(_: float, flat: np.ndarray) -> np.ndarray:
            x, y = flat.reshape(2, 2)
            r2, w = x**2 + y**2, 2 * np.pi * np.array(frequency)
            return np.concatenate([x * (sigma - r2) - w * y + K @ x, y * (sigma - r2) + w * x + K @ y])

        exact = [solve_ivp(field, (0, 0.2), one, rtol=1e-9, atol=1e-10).y[:, -1] for one in z[:, 0]]
        errors.append(np.abs(z[:, -1] - exact).max())
    ratio = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratio, 2, rtol=0.15)  # first order


def test_uncoupled_oscillators_keep_frequency_and_radius() -> None:
    simulation = coupled_oscillators((2.0, 7.0), noise=np.zeros(4), sigma=np.array([4.0, 1.0]), trials=5)
    x, y = simulation.latents[..., :2], simulation.latents[..., 2:]
    np.testing.assert_allclose(np.hypot(x, y), np.broadcast_to([2.0, 1.0], x.shape))
    phase = np.unwrap(np.arctan2(y, x), axis=1)
    np.testing.assert_allclose(
        np.diff(phase, axis=1) / 0.01 / (2 * np.pi), np.broadcast_to([2.0, 7.0], (5, 99, 2))
    )


def test_oscillator_noise_is_per_latent_and_per_root_second() -> None:
    """With negative sigma and no coupling the state is nearly an Ornstein-Uhlenbeck process of variance s^2 / 20."""
    noise = np.array([0.1, 0.02, 0.1, 0.02])
    z = coupled_oscillators((1.0, 1.0), sigma=-10.0, noise=noise, trials=400, bins=100, substeps=5).latents
    np.testing.assert_allclose(z[:, 50:].std((0, 1)), noise / np.sqrt(20), rtol=0.05)


# linear systems


def test_linear_gaussian_is_stationary() -> None:
    simulation = linear_gaussian(noise=np.array([0.1, 0.2, 0.3, 0.4]), trials=2000, bins=30)
    p = simulation.parameters
    exact = solve_discrete_lyapunov(p["A"], p["noise_covariance"])
    np.testing.assert_allclose(p["initial_covariance"], exact)
    np.testing.assert_allclose(np.diag(p["noise_covariance"]), np.array([0.1, 0.2, 0.3, 0.4]) ** 2)
    for t in (0, 29):
        np.testing.assert_allclose(np.cov(simulation.latents[:, t].T), exact, atol=0.12 * exact.max())
    kicks = simulation.latents[:, 1:] - simulation.latents[:, :-1] @ p["A"].T
    np.testing.assert_allclose(np.cov(kicks.reshape(-1, 4).T), p["noise_covariance"], atol=0.003)
    np.testing.assert_allclose(simulation.rates, simulation.latents @ p["C"].T)


def test_linear_poisson_mean_rate() -> None:
    simulation = linear_poisson(trials=3000, bins=20, neurons=5, base_rate=8.0)
    p = simulation.parameters
    variance = np.einsum("nd,de,ne->n", p["C"], p["initial_covariance"], p["C"])
    np.testing.assert_allclose(simulation.rates.mean((0, 1)), 8 * np.exp(variance / 2), rtol=0.05)


def test_a_chosen_start() -> None:
    simulation = linear_gaussian(
        np.array([[1.0]]), np.ones((2, 1)), initial_mean=3.0, initial_noise=0.0, noise=0.0, bins=4
    )
    np.testing.assert_array_equal(simulation.latents, 3)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(rotations(5, 0.9))), 0.9)


def test_bad_input() -> None:
    m, n, h, a = random_network(0)
    for wrong, call in {
        r"n: shape \(7, 2\)": lambda: low_rank_rnn(m, n.T, h, a),
        "activation: 'rlu' is unknown; did you mean 'relu'": lambda: low_rank_rnn(
            m, n, h, a, activation="rlu"
        ),
        "link: ": lambda: low_rank_rnn(m, n, h, a, observation="poisson", link="log"),
        "belong together": lambda: low_rank_rnn(m, n, h, a, inputs=np.zeros((2, 3, 1))),
        "noise: -1": lambda: low_rank_rnn(m, n, h, a, noise=-1.0),
        "initial_noise: ": lambda: low_rank_rnn(m, n, h, a, initial_noise=np.ones(3)),
        "observation_noise: ": lambda: low_rank_rnn(m, n, h, a, observation_noise=np.ones(3)),
        "diverges": lambda: low_rank_rnn(m, 100 * n, h, a, activation="identity", bins=300),
        "filtered": lambda: low_rank_rnn(m, n, h, np.ones(2), filtered=True),
        "teacher: 'reech'": lambda: teacher("reech"),
        "nowhere.npz: no such file": lambda: network("reach", "nowhere.npz"),
        r"coupling: shape \(3, 3\)": lambda: coupled_oscillators((1.0, 2.0), np.zeros((3, 3))),
        "sigma: ": lambda: coupled_oscillators((1.0, 2.0), sigma=np.zeros(3)),
        "no stationary start": lambda: linear_gaussian(np.eye(2)),
        "trials: 0 found": lambda: linear_poisson(trials=0),
        "substeps: 0": lambda: coupled_oscillators(substeps=0),
        "rates of up to": lambda: linear_poisson(base_rate=1e9),
        "inputs: shape": lambda: low_rank_rnn(m, n, h, a, inputs=np.zeros((2, 3, 1)), input_weights=m),
        "bin_width: 0": lambda: lorenz(2, 2, 3, 4, bin_width=0.0),
    }.items():
        with np.errstate(all="ignore"), pytest.raises(NeuritoError, match=wrong):
            call()


def test_weights_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **{"reach_rnn/m": np.ones(3)})
    with pytest.raises(NeuritoError, match=r"weights.npz: .*reach_rnn/n"):
        network("reach", path)
    net = network("decision")
    np.savez(path, **{f"rdm_rnn/{k}": v for k, v in net._asdict().items()})
    for saved, built in zip(network("decision", path), net, strict=True):
        np.testing.assert_array_equal(saved, built)
