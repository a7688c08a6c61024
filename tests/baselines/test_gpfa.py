"""GPFA against dense Gaussians."""

import numpy as np
import pytest

from neurito import NeuritoError, Trials
from neurito.baselines import GPFA
from neurito.baselines.gpfa import Process, kernel

RNG = np.random.default_rng(0)
PROCESS = Process(RNG.normal(size=(4, 2)), RNG.normal(size=4), RNG.uniform(0.2, 1, 4), np.array([1.5, 4.0]))


def drawn(trials=3, bins=6):
    """Data of the model, and masks with gaps, of which two are alike."""
    z = np.stack(
        [np.linalg.cholesky(k) @ RNG.normal(size=(bins, trials)) for k in kernel(PROCESS.tau, bins)], -1
    )
    x = z.swapaxes(0, 1) @ PROCESS.C.T + PROCESS.d
    x = x + np.sqrt(PROCESS.R) * RNG.normal(size=x.shape)
    read = RNG.uniform(size=x.shape) < 0.7
    read[1] = read[0]
    read[:, 4:] = False
    return x, read


def test_the_e_step_is_the_conditional_of_a_dense_gaussian():
    x, read = drawn()
    bins = x.shape[1]
    found = PROCESS.posterior(np.where(read, x, 1e6), read)
    prior = np.zeros((2 * bins, 2 * bins))  # latent by latent
    for i, tau in enumerate(PROCESS.tau):
        apart = np.arange(bins)[:, None] - np.arange(bins)
        prior[i * bins : (i + 1) * bins, i * bins : (i + 1) * bins] = 0.999 * np.exp(
            -(apart**2) / (2 * tau**2)
        ) + 0.001 * np.eye(bins)
    readout = np.concatenate(
        [np.kron(np.eye(bins), PROCESS.C[:, [i]]) for i in range(2)], 1
    )  # rows (bin, channel)
    second, likelihood = np.zeros((2, bins, bins)), 0.0
    for n in range(3):
        some = read[n].ravel()
        H, r = readout[some], (x[n] - PROCESS.d).ravel()[some]
        S = H @ prior @ H.T + np.diag(np.tile(PROCESS.R, bins)[some])
        gain = prior @ H.T @ np.linalg.inv(S)
        mean, covariance = gain @ r, prior - gain @ H @ prior
        likelihood -= 0.5 * (r @ np.linalg.solve(S, r) + np.linalg.slogdet(2 * np.pi * S)[1])
        np.testing.assert_allclose(found.mean[n], mean.reshape(2, bins).T, atol=1e-10)
        blocks = covariance.reshape(2, bins, 2, bins)
        np.testing.assert_allclose(found.covariance[n], np.einsum("itjt->tij", blocks), atol=1e-10)
        m = mean.reshape(2, bins)
        second += np.einsum("itis->its", blocks) + m[:, :, None] * m[:, None]
    np.testing.assert_allclose(found.second, second, atol=1e-9)
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-10)


def test_every_step_of_em_gains():
    x, read = drawn(trials=30, bins=12)
    process = Process(RNG.normal(size=(4, 2)), np.zeros(4), np.ones(4), np.array([1.0, 1.0]))
    course = []
    for _ in range(12):
        found = process.posterior(x, read)
        course.append(found.log_likelihood)
        process = process.maximised(x, read, found)
    assert (np.diff(course) > -1e-8).all()
    assert course[-1] > course[0] + 10
    assert course[-1] > PROCESS.posterior(x, read).log_likelihood  # the truth is not the likeliest


def test_em_finds_the_timescales():
    x, _ = drawn(trials=80, bins=20)
    read = np.ones(x.shape, bool)
    process = Process(PROCESS.C, PROCESS.d, PROCESS.R, np.array([1.0, 6.0]))
    for _ in range(80):
        process = process.maximised(x, read, process.posterior(x, read))
    np.testing.assert_allclose(process.tau, PROCESS.tau, rtol=0.15)


def test_a_fit_gains_and_says_how_sure_it_is():
    z = np.sin(np.arange(40) * 0.3 + RNG.uniform(0, 6, (30, 1)))[..., None]
    counts = RNG.poisson(np.exp(0.7 * z * RNG.normal(size=8)))
    trials = Trials.from_array(counts, bin_width=0.02).hold_out(channels=[6, 7]).forward(10)
    fitted = GPFA(latents=1, iterations=15).fit(trials)
    bound = [line["bound"] for line in fitted.history]
    assert (np.diff(bound) > -1e-9).all()
    assert bound[-1] > bound[0]
    found = fitted.predict(trials)
    r = np.corrcoef(found.latents[:, :30, 0].ravel(), z[:, :30, 0].ravel())[0, 1]
    assert abs(r) > 0.8
    assert found.latent_sd[:, 39].min() > 2 * found.latent_sd[:, 15].max()  # the future is less sure
    assert (found.latent_sd <= 1).all()
    quantiles = found.quantiles((0.1, 0.5, 0.9))
    assert quantiles.shape == (30, 40, 3, 8)
    assert (np.diff(quantiles, axis=2) > 0).all()
    fine = found.quantiles((np.arange(2000) + 0.5) / 2000).mean(2)
    np.testing.assert_allclose(fine, found.expected, rtol=0.02)  # the mean of its distribution


def test_trials_too_long():
    trials = Trials.from_array(RNG.poisson(1.0, (1, 3000, 6)), bin_width=0.02)
    with pytest.raises(NeuritoError, match=r"3000 bins x 5 latents .* cut shorter trials"):
        GPFA().fit(trials)
