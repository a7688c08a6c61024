"""Figures of real results: what is drawn is what was found, with labels and units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.plots.reading import drawn

import neurito
from neurito import NeuritoError, Trials, plots
from neurito.analysis import fixed_points
from neurito.analysis.fitted import network_of
from neurito.compare import Comparison, Row, Scored
from neurito.core.parameters import resolve
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


@pytest.fixture(scope="module")
def run(trials):
    model = LinearDynamics(latents=2, guide="bootstrap", particles=2)
    return neurito.fit(model, trials.split(), epochs=3, batch_size=8, steps_per_call=1, progress=False)


def test_rates_of_a_trial(posterior, trials):
    truth = 10.0 + posterior.rate_mean.values
    figure = plots.rates(posterior, trials, 3, channels=[1, 0], true=truth)
    labels = {"neuron b (held out)", "neuron a", "spikes/s", "time in the trial (s)", "neuron", "trial 3"}
    assert labels <= drawn(figure, whole=True)
    raster, held, read = figure.axes[:3]
    np.testing.assert_array_equal(raster.collections[0].get_array().T, trials.main.values[3])
    for axis, channel in ((held, 1), (read, 0)):
        recorded, inferred, true = lines(axis)
        np.testing.assert_allclose(recorded[:, 1], trials.main.values[3, :, channel] / 0.02, rtol=1e-5)
        np.testing.assert_allclose(inferred[:, 1], posterior.rate_mean.values[3, :, channel], rtol=1e-5)
        np.testing.assert_allclose(inferred[:, 0], trials.time[3])
        np.testing.assert_allclose(true[:, 1], truth[3, :, channel], rtol=1e-5)
        band = axis.collections[-1].get_paths()[0].vertices[:, 1]
        edges = posterior.rate_quantile.values[3, :, [0, -1], channel]
        assert (band.min(), band.max()) == pytest.approx((edges[0].min(), edges[1].max()), rel=1e-5)


def test_latents_in_time_and_in_the_plane(posterior, trials):
    figure = plots.latents(posterior, trials, 2)
    assert {"latent 4", "time in trial 2 (s)", "component 1"} <= drawn(figure, whole=True)
    for i, axis in enumerate(figure.axes[:4]):
        np.testing.assert_allclose(lines(axis)[0][:, 1], posterior.latent_mean.values[2, :, i], rtol=1e-5)
        mean, sd = (posterior[f"latent_{x}"].values[2, :, i] for x in ("mean", "sd"))
        band = axis.collections[0].get_paths()[0].vertices[:, 1]
        assert band.max() == pytest.approx((mean + 2 * sd).max(), rel=1e-5)
    assert len(figure.axes[4].get_lines()) == 2 * 16  # a path and where it starts, of every trial


def test_the_course_of_a_fit(run):
    figure = plots.training(run.history)
    assert {"gradient step", "nats per bin", "share of the particles"} <= drawn(figure, whole=True)
    for axis, name in zip(figure.axes, ("bound", "score", "ess"), strict=True):
        shown = lines(axis)[0]
        np.testing.assert_allclose(shown, [[row["step"], row[name]] for row in run.history])
    best = max(run.history, key=lambda row: row["score"])
    np.testing.assert_allclose(lines(figure.axes[1])[1], [[best["step"], best["score"]]])


def test_simulations_beside_the_data(run, trials):
    made = neurito.generate(run, 12, 20).trials
    figure = plots.generated(trials, made)
    texts = drawn(figure, whole=True)
    assert {"data (spikes/s)", "model (spikes/s)", "data (s)", "frequency (Hz)", "(spikes/s)²/Hz"} <= texts
    rates = figure.axes[0].collections[0].get_offsets()
    expected = [one.main.values.mean((0, 1)) / 0.02 for one in (trials, made)]
    np.testing.assert_allclose(np.sort(rates, 0), np.sort(np.transpose(expected), 0), rtol=1e-5)
    assert [line.get_label() for line in figure.axes[5].get_lines()] == ["data", "model"]


def test_one_trial_one_neuron_one_latent():
    one = Trials.from_array(RNG.poisson(1.0, (1, 12, 1)), bin_width=0.02, metadata={"condition": ["only"]})
    sizes = {"latents": 1, "hidden": 4, "control": 4, "context": 4}
    fitted = started(LangevinFlow(potential="harmonic", **sizes), one)
    found = neurito.infer(fitted, one, samples=4)
    assert "neuron 0" in drawn(plots.rates(found, one))
    assert "latent 2" in drawn(plots.latents(found, one))
    assert "R2 = " in drawn(plots.psths(found, one))
    assert "each condition (1 trial)" in drawn(plots.trajectories(found, one))
    figure = plots.potential(fitted, found)
    assert {"position 1 (arbitrary units)", "U / T (above the lowest)"} <= drawn(figure, whole=True)
    side, energy = lines(figure.axes[0])[0].T
    assert energy.min() == 0
    assert side[0] < found.latent_mean.values[..., 0].min()
    assert "frequency (Hz)" in drawn(plots.oscillators(started(CoupledOscillatorSDE(oscillators=1), one)))
    assert "mean rate" in drawn(plots.generated(one, one))


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


def test_averages_are_of_what_there_is(posterior, trials):
    found = plots.averages(posterior.rate_mean.values, trials, sd=0.0)
    assert found.labels.tolist() == ["links", "rechts"]
    assert found.inferred.shape == found.target.shape == (2, 20, 4)
    x, y = found.target[..., 2].ravel(), found.inferred[..., 2].ravel()
    assert found.r2[2] == pytest.approx(1 - ((x - y) ** 2).sum() / ((x - x.mean()) ** 2).sum())
    hand = plots.averages(posterior["hand_mean"].values, trials, head="hand")
    left = trials.metadata["condition"] == "links"
    np.testing.assert_allclose(
        hand.target[0, :, 0], trials.head("hand").values[left, :, 0].mean(0), rtol=1e-5
    )
    assert hand.against == "the data"


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
    pit = plots.predictive_pit(found, counts)
    covered = (np.abs(pit - 0.5) < 0.45).mean()
    assert covered == pytest.approx(0.9, abs=0.03)
    assert f"90 % intervals cover {covered:.1%}" in drawn(plots.calibration(pit))


def test_potential_of_a_langevin_flow(posterior, langevin):
    figure = plots.potential(langevin, posterior)
    text = drawn(figure)
    assert "position 1 (arbitrary units)" in text
    assert "U / T (above the lowest drawn)" in text
    np.testing.assert_allclose(lines(figure.axes[0])[0], posterior.latent_mean.values[0, :, :2], rtol=1e-5)
    found = plots.landscape(langevin, posterior, points=5)
    assert found.energy.shape == (5, 5)
    ends = found.positions[..., 0].min(), found.positions[..., 0].max()
    np.testing.assert_allclose(
        found.sides[0][[0, -1]], [1.3 * ends[0] - 0.3 * ends[1], 1.3 * ends[1] - 0.3 * ends[0]], rtol=1e-5
    )
    at = jnp.asarray([found.sides[0][3], found.sides[1][1]])
    low = jnp.asarray([found.sides[0][0], found.sides[1][0]])
    U = resolve(langevin.model.dynamics).potential.energy
    assert found.energy[1, 3] - found.energy[0, 0] == pytest.approx(
        (float(U(at)) - float(U(low))) / found.temperature, abs=1e-4
    )
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
