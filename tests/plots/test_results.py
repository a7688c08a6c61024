"""Figures of real results: what is drawn is what was found, with labels and units."""

import jax
import numpy as np
import pytest
from tests.plots.reading import drawn

import neurito
from neurito import NeuritoError, Trials, plots
from neurito.analysis import fixed_points
from neurito.analysis.fitted import network_of
from neurito.compare import Comparison, Row, Scored
from neurito.data.trials import Head
from neurito.models import CoupledOscillatorSDE, LangevinFlow, Layout, LinearDynamics, LowRankRNN
from neurito.models.fitted import Fitted

RNG = np.random.default_rng(0)


def started(specification, trials):
    layout = Layout.of(trials)
    return Fitted(specification, layout, specification.build(layout, jax.random.key(1)))


@pytest.fixture(scope="module")
def trials():
    """Sixteen trials in two conditions; neurons 0 and 1 tell them apart, 1 is held out; the hand follows 0."""
    late = np.arange(20) >= 10
    left = np.arange(16) % 2 == 0
    rate = np.where(left[:, None, None] == late[None, :, None], 2.0, 0.2)
    counts = np.concatenate([RNG.poisson(np.repeat(rate, 2, 2)), RNG.poisson(0.5, (16, 20, 2))], 2)
    hand = rate + 0.1 * RNG.standard_normal(rate.shape)
    made = Trials.from_array(
        counts,
        bin_width=0.02,
        names=["a", "b", "c", "d"],
        metadata={"condition": np.where(left, "links", "rechts")},
    )
    return made.with_head("hand", Head.of(hand, "continuous", read=False, unit="cm/s")).hold_out(
        channels=["b"]
    )


@pytest.fixture(scope="module")
def langevin(trials):
    return started(LangevinFlow(latents=2, heads=("spikes", "hand"), hidden=4, control=4, context=4), trials)


@pytest.fixture(scope="module")
def posterior(langevin, trials):
    return neurito.infer(langevin, trials, samples=8, quantiles=(0.025, *plots.LEVELS, 0.975))


def lines(axis):
    return [line.get_xydata() for line in axis.get_lines()]


def test_psths_are_means_over_conditions(posterior, trials):
    figure = plots.psths(posterior, trials, channels=[0, 1, 2, 3], sd=0.0)
    text = drawn(figure)
    assert "time in the trial (s)" in text
    assert "spikes/s" in text
    assert "neuron b (held out), R2 =" in text
    target, inferred = lines(figure.axes[0])[:2]  # of links, the first by name
    left = trials.metadata["condition"] == "links"
    np.testing.assert_allclose(target[:, 1], trials.main.values[left, :, 0].mean(0) / 0.02, rtol=1e-5)
    np.testing.assert_allclose(inferred[:, 1], posterior.rate_mean.values[left, :, 0].mean(0), rtol=1e-4)
    np.testing.assert_allclose(inferred[:, 0], trials.time[0])
    truth = drawn(plots.psths(posterior, trials, true=posterior.rate_mean.values))
    assert "R2 = 1.00" in truth
    assert "the truth (dashed)" in truth
    with pytest.raises(NeuritoError, match="by='kondition' is no metadata column"):
        plots.psths(posterior, trials, "kondition")


def test_trajectories_by_condition(posterior, trials):
    figure = plots.trajectories(posterior, trials, axes=(3, 1, 0))
    assert {"latent 4", "latent 2", "time in the trial (s)"} <= set(drawn(figure, whole=True))
    left = trials.metadata["condition"] == "links"
    mean = posterior.latent_mean.values[left].mean(0)
    np.testing.assert_allclose(lines(figure.axes[0])[0][:, 1], mean[:, 0], rtol=1e-4)
    np.testing.assert_allclose(lines(figure.axes[4])[0], mean[:, [3, 1]], rtol=1e-4)
    np.testing.assert_allclose(
        np.array(figure.axes[5].lines[0].get_data_3d()).T, mean[:, [3, 1, 0]], rtol=1e-4
    )
    with pytest.raises(NeuritoError, match="there are 4 latents"):
        plots.trajectories(posterior, trials, axes=(4, 1, 0))


def test_decoded_behaviour(posterior, trials):
    figure = plots.decoded(posterior, trials, "hand", 2)
    text = drawn(figure)
    assert "cm/s" in text
    assert "2.5% to 97.5%" in text
    recorded, decoded = lines(figure.axes[0])
    np.testing.assert_allclose(recorded[:, 1], trials.head("hand").values[2, :, 0], rtol=1e-5)
    np.testing.assert_allclose(decoded[:, 1], posterior["hand_mean"].values[2, :, 0], rtol=1e-5)
    with pytest.raises(NeuritoError, match="head='foot' was not inferred"):
        plots.decoded(posterior, trials, "foot")


def test_calibration(posterior, trials, langevin):
    pit = plots.predictive_pit(posterior, trials, langevin)
    assert len(pit) == 16 * 20
    figure = plots.calibration(pit)
    text = drawn(figure)
    assert "probability integral transform" in text
    covered = lines(figure.axes[1])[1]
    assert covered[9, 1] == pytest.approx((np.abs(pit - 0.5) <= 0.25).mean())
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, np.histogram(pit, 20, (0, 1), density=True)[0])
    with pytest.raises(NeuritoError, match="posterior has too few quantiles"):
        plots.predictive_pit(posterior.sel(quantile=[0.025, 0.975]), trials)
    with pytest.raises(NeuritoError, match="no count is scored and unread"):
        plots.predictive_pit(posterior, Trials.from_array(trials.main.values, bin_width=0.02))


def test_right_rates_are_calibrated():
    import xarray as xr

    rates = RNG.gamma(2, 5, (30, 40, 5))
    counts = Trials.from_array(RNG.poisson(rates * 0.02), bin_width=0.02).hold_out(channels=[0, 1])
    found = xr.Dataset(
        {"rate_quantile": (("trial", "time", "quantile", "channel"), np.repeat(rates[:, :, None], 16, 2))},
        coords={"quantile": list(plots.LEVELS)},
    )
    assert "90 % intervals cover 9" in drawn(plots.calibration(plots.predictive_pit(found, counts)))


def test_potential_of_a_langevin_flow(posterior, langevin):
    figure = plots.potential(langevin, posterior)
    text = drawn(figure)
    assert "position 1 (arbitrary units)" in text
    assert "U / T (above the lowest drawn)" in text
    np.testing.assert_allclose(lines(figure.axes[0])[0], posterior.latent_mean.values[0, :, :2], rtol=1e-5)
    with pytest.raises(NeuritoError, match="there are 2 positions"):
        plots.potential(langevin, posterior, axes=(0, 2))


def test_flow_of_many_latents_is_in_their_plane(posterior, langevin, trials):
    figure = plots.flow(langevin, posterior)
    assert "z1 and z2 are principal components of 4 latents" in drawn(figure)
    with pytest.raises(NeuritoError, match="posterior is missing"):
        plots.flow(langevin)
    linear = started(LinearDynamics(latents=2, guide="bootstrap"), trials)
    with pytest.raises(NeuritoError, match="has no potential"):
        plots.potential(linear, posterior)


def test_flow_with_fixed_points(trials):
    network = started(LowRankRNN(rank=2, units=8), trials)
    points = fixed_points(network_of(network.model.dynamics))
    figure = plots.flow(network, points=points)
    assert "certified" in drawn(figure)
    marked = np.concatenate([xy for xy in lines(figure.axes[0]) if len(xy) <= len(points)])
    for point in points.points:
        assert np.isclose(marked, point).all(1).any()


@pytest.mark.parametrize("form", ["hopf", "harmonic"])
def test_oscillators(trials, form):
    fitted = started(CoupledOscillatorSDE(oscillators=3, form=form), trials)
    found = plots.rhythms(fitted)
    dynamics = fitted.model.dynamics
    omega = fitted.parameters["dynamics.drift.omega"]
    np.testing.assert_allclose(found.frequency, omega / (2 * np.pi * dynamics.time_constant), rtol=1e-5)
    figure = plots.oscillators(fitted)
    text = drawn(figure)
    assert {"frequency (Hz)", "growth rate (1/s)"} <= set(drawn(figure, whole=True))
    assert "to oscillator" in text
    signs = {
        (int(x), int(y)): one.get_text() for one in figure.axes[2].texts for x, y in [one.get_position()]
    }
    for (x, y), sign in signs.items():
        assert (sign == "+") == (found.coupling[y - 1, x - 1] > 0)
    assert len(signs) > 2


def test_rhythms_of_springs_and_of_linear_modes(langevin, trials):
    assert plots.rhythms(langevin).coupling.shape == (2, 2)
    linear = started(LinearDynamics(latents=2, guide="bootstrap"), trials)
    found = plots.rhythms(linear)
    np.testing.assert_allclose(found.growth, np.log(0.95) / 0.02, rtol=1e-4)
    assert "mode of the linear dynamics" in drawn(plots.oscillators(linear))
    with pytest.raises(NeuritoError, match="has no oscillators"):
        plots.rhythms(started(LowRankRNN(rank=2, units=8), trials))


def test_comparison_shows_every_seed():
    def scored(seed, **scores):
        return Scored(None, "m", {}, seed, "", scores, frozenset(), 1, None, None)

    rows = (
        Row("whole", (scored(0, co_bps=0.3), scored(1, co_bps=0.4))),
        Row("without input", (scored(0, co_bps=0.1, d_h=0.2),)),
    )
    figure = plots.comparison(Comparison(rows, ("co_bps", "d_h"), "test"), reference="whole")
    text = drawn(figure)
    assert "co_bps (bits/spike)" in text
    assert "on the test trials" in text
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([0.35, 0.1])
    np.testing.assert_allclose(lines(figure.axes[0])[0], [[0.3, 0], [0.4, 0]])
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["whole", "without input"]
    with pytest.raises(NeuritoError, match="reference='all' is no row"):
        plots.comparison(Comparison(rows, ("co_bps",), "test"), reference="all")
