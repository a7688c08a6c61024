"""What holds for every baseline."""

from dataclasses import replace

import numpy as np
import pytest
from tests.baselines.recording import HELD_OUT, counts, recording

from neurito import NeuritoError, Trials
from neurito.baselines import BASELINES, GPFA, FactorAnalysis, MeanRate, Smoothing
from neurito.baselines.regression import log_linear, regressed
from neurito.evaluation import bits_per_spike_train_null, co_bps, fp_bps

SMALL = [
    MeanRate(),
    Smoothing(sd=0.04),
    FactorAnalysis(factors=2, sd=0.04),
    GPFA(latents=2, iterations=5),
]
TRAIN, VALIDATION, TEST = recording(0), recording(1), recording(2)
every = pytest.mark.parametrize("baseline", SMALL, ids=lambda b: b.name)


def test_every_baseline_is_tried():
    assert {type(b) for b in SMALL} == set(BASELINES.values())


@every
def test_unread_values_change_nothing(baseline):
    fitted = baseline.fit(TRAIN)
    before = fitted.predict(TEST.forward(5))
    head = TEST.forward(5).main
    rng = np.random.default_rng(0)
    other = np.where(head.read, head.values, rng.permuted(head.values, axis=0))
    assert (other != head.values).any()
    after = fitted.predict(TEST.with_head("spikes", replace(head, values=other)))
    for name, value in vars(before).items():
        np.testing.assert_array_equal(value, getattr(after, name), err_msg=name)


@every
def test_predictions_are_better_than_nothing(baseline):
    fitted = baseline.fit(TRAIN)
    found = fitted.predict(TEST.forward(3))
    assert found.expected.shape == TEST.main.values.shape
    assert (found.expected > 0).all()
    dull = MeanRate().fit(TRAIN).predict(TEST).expected  # the null of so few bins knows them too well
    more = 0.1 * (not isinstance(baseline, MeanRate))
    assert co_bps(found.expected, TEST.forward(3)) >= co_bps(dull, TEST.forward(3)) + more
    assert fp_bps(found.expected, TEST.forward(3)) >= fp_bps(dull, TEST.forward(3)) + more / 4


def test_the_mean_rate_has_no_bits():
    expected = MeanRate().fit(TRAIN).predict(TEST).expected
    bits = bits_per_spike_train_null(expected, TEST.main.values, TRAIN.main.values)
    assert bits == pytest.approx(0, abs=1e-12)


@every
def test_trials_of_unequal_length_and_missing_bins(baseline):
    values = counts()
    values[3, 7:9] = np.nan
    lengths = np.full(40, 30)
    lengths[:5] = 20
    trials = Trials.from_array(values, bin_width=0.02, kind="counts", missing="nan", lengths=lengths)
    fitted = baseline.fit(trials.hold_out(channels=HELD_OUT))
    assert np.isfinite(fitted.predict(trials.hold_out(channels=HELD_OUT)).expected).all()
    # Padding changes nothing of a trial.
    alone = trials.hold_out(channels=HELD_OUT).select(time=slice(0, 20))
    padded = fitted.predict(trials[:2].hold_out(channels=HELD_OUT)).expected[:, :20]
    np.testing.assert_allclose(fitted.predict(alone[:2]).expected, padded, rtol=1e-6)


@every
def test_a_neuron_that_never_fires(baseline):
    values = counts()
    values[..., [2, 8]] = 0
    with pytest.warns(match="never fire"):
        trials = Trials.from_array(values, bin_width=0.02, kind="counts").hold_out(channels=HELD_OUT)
    expected = baseline.fit(trials).predict(trials).expected
    assert np.isfinite(expected).all()
    assert expected[..., [2, 8]].max() < 1e-2


@every
def test_refusals(baseline):
    with pytest.raises(NeuritoError, match="need counts, and 'signal' is continuous"):
        baseline.fit(Trials.from_array(np.full((4, 8, 3), 0.5), bin_width=0.1))
    sessions = Trials.from_array(counts(), bin_width=0.02, session=np.arange(40) % 2)
    with pytest.raises(NeuritoError, match="one session, the data have 2"):
        baseline.fit(sessions)
    uneven = Trials.from_array(counts(), bin_width=np.linspace(0.01, 0.03, 30))
    with pytest.raises(NeuritoError, match="bins of one width"):
        baseline.fit(uneven)
    with pytest.raises(NeuritoError, match="fitted to 10 channels, the data have 4"):
        baseline.fit(TRAIN).predict(TEST.select(channels=slice(0, 4)))


def test_options():
    with pytest.raises(NeuritoError, match="sd=-1: 0 or more"):
        Smoothing(sd=-1)
    with pytest.raises(NeuritoError, match="latents=0: 1 or more"):
        GPFA(latents=0)
    with pytest.raises(NeuritoError, match="transform='cube'"):
        GPFA(transform="cube")
    with pytest.raises(NeuritoError, match="factors=7: choose from 1 to 6"):
        FactorAnalysis(factors=7, sd=0.04).fit(TRAIN)


@pytest.mark.parametrize("hide", [True, False])
def test_validation_trials_choose_the_width(hide):
    train, validation = (
        (TRAIN, VALIDATION)
        if hide
        else (Trials.from_array(t.main.values, bin_width=0.02) for t in (TRAIN, VALIDATION))
    )
    fitted = Smoothing().fit(train, validation)
    scores = [line["score"] for line in fitted.history]
    assert len(scores) == 7
    assert fitted.specification.sd == (0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2)[int(np.argmax(scores))]
    assert fitted.specification.sd > 0.02  # the latents are slow
    with pytest.raises(NeuritoError, match="sd=0 is chosen on validation trials"):
        Smoothing().fit(train)


def test_smoothing_is_a_weighted_mean_of_what_is_read():
    values = np.zeros((2, 30, 2))
    values[:, 15] = 1
    values[1, 10] = 2
    head = Trials.from_array(values, bin_width=0.01, kind="counts")
    gap = replace(head.main, read=np.arange(30)[:, None] != 15)
    mean = values.mean((0, 1))
    from neurito.baselines.reading import Reading
    from neurito.baselines.smoothing import smoothed

    found = smoothed(Reading.of(head.with_head("spikes", gap)), 0.02, mean)
    k = np.exp(-(np.subtract.outer(np.arange(30), np.arange(30)) ** 2) / 8.0)
    k[k < np.exp(-8.0)] = 0
    k /= k[15].sum()
    read = np.arange(30) != 15
    want = (k @ (values * read[:, None]) + 0.1 * mean) / ((k @ read)[:, None] + 0.1)
    np.testing.assert_allclose(found, want, rtol=1e-10)


def test_regression_agrees_with_scikit_learn():
    from sklearn.linear_model import PoissonRegressor

    from neurito.baselines.regression import poisson_regression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3)) * [1, 5, 0.1] + 2
    y = rng.poisson(np.exp(x @ rng.normal(0, 0.2, (3, 2)))).astype(float)
    known = rng.uniform(size=y.shape) < 0.8
    weights, offset = poisson_regression(x, np.where(known, y, 0), known, 0.01)
    for n in range(2):
        some = known[:, n]
        mean, sd = x.mean(0), x.std(0)
        theirs = PoissonRegressor(alpha=0.01, tol=1e-8, max_iter=1000).fit((x[some] - mean) / sd, y[some, n])
        np.testing.assert_allclose(weights[:, n], theirs.coef_ / sd, atol=2e-4)
        np.testing.assert_allclose(offset[n] + mean @ weights[:, n], theirs.intercept_, atol=2e-4)


def test_factor_analysis_agrees_with_scikit_learn():
    from sklearn.decomposition import FactorAnalysis as Theirs

    from neurito.baselines.factor_analysis import maximum_likelihood

    rng = np.random.default_rng(1)
    x = rng.normal(size=(800, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(800, 6)) * [1, 2, 1, 0.5, 1, 1]
    theirs = Theirs(2, svd_method="lapack", tol=1e-8, max_iter=5000).fit(x)
    loading, noise = maximum_likelihood(np.cov(x.T, bias=True), 2)
    np.testing.assert_allclose(noise, theirs.noise_variance_, rtol=5e-3)
    np.testing.assert_allclose(loading @ loading.T, theirs.components_.T @ theirs.components_, atol=0.01)


@pytest.mark.recording
def test_published_scores_of_lorenz(recordings):
    import h5py

    from neurito.evaluation import rates_r2

    with h5py.File(recordings / "lorenz" / "lfads_lorenz.h5") as file:
        train, valid, truth = (file[k][:] for k in ("train_data", "valid_data", "valid_truth"))
    parts = [
        Trials.from_array(a.astype(float), bin_width=0.01, kind="counts").hold_out(channels=np.arange(45, 60))
        for a in (train[:576], valid)
    ]
    for baseline, bits, r2 in ((Smoothing(sd=0.03), 0.646, 0.50), (FactorAnalysis(sd=0.03), 0.663, 0.57)):
        expected = baseline.fit(parts[0]).predict(parts[1]).expected
        assert co_bps(expected, parts[1]) > bits
        assert rates_r2(truth[..., 45:] * 0.01, expected[..., 45:]).mean > r2


def test_a_regression_far_from_its_data_expects_no_more_than_within() -> None:
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.random.default_rng(0).poisson(np.exp(2 * x))
    arrays = regressed(x, y, np.ones(y.shape, bool), 1e-6)
    within, beyond = log_linear(x, arrays), log_linear(np.array([[-50.0], [1.0], [3.0], [500.0]]), arrays)
    np.testing.assert_allclose(np.log(within[-1] / within[0]), arrays["weights"][0] * 2, rtol=1e-9)
    np.testing.assert_allclose(beyond[:, 0], [0, *[within.max()] * 3], atol=1e-12)


def test_a_regression_saved_without_its_largest_count_still_predicts_finite_ones() -> None:
    arrays = {"weights": np.array([[100.0]]), "offset": np.zeros(1)}
    expected = log_linear(np.array([[-50.0], [0.01], [50.0]]), arrays)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(expected[:2, 0], [0, np.exp(1.0)], atol=1e-12)
