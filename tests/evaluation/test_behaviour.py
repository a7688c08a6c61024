import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from neurito.errors import NeuritoError
from neurito.evaluation import decode, fit_decoder
from neurito.evaluation.behaviour import ALPHAS, shift


@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("rows", [203, 40])
def test_is_scikit_learns_grid_search(scale: float, rows: int) -> None:
    rng = np.random.default_rng(rows)
    X = scale * rng.gamma(2.0, 1.0, (rows, 30))
    Y = X[:, :2] / scale + 2 * rng.standard_normal((rows, 2)) + 5
    search = GridSearchCV(Ridge(), {"alpha": ALPHAS}).fit(X, Y)
    decoder = fit_decoder(X, Y)
    assert decoder.alpha == search.best_params_["alpha"]
    np.testing.assert_allclose(decoder.weights, search.best_estimator_.coef_.T, rtol=1e-7, atol=1e-9 / scale)
    np.testing.assert_allclose(decoder.predict(X), search.predict(X), rtol=1e-7)


def test_collinear_features() -> None:
    """Denoised rates of few latents: the Gram matrix is singular."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((40, 20, 3))
    rates = latent @ rng.standard_normal((3, 60))
    assert decode(rates, latent, slice(0, 30), slice(30, 40)).r2 == pytest.approx(1, abs=1e-6)


def test_lag() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((30, 25, 4))
    for lag in (3, -2):
        behaviour = shift(features @ rng.standard_normal((4, 2)), -lag)  # behaviour[t + lag] comes from t
        found = decode(features, behaviour, slice(0, 20), slice(20, 30), lag=lag)
        assert found.r2 > 0.9999
        assert found.median_error < 1e-3
        known = ~np.isnan(behaviour[20:])
        np.testing.assert_array_equal(~np.isnan(found.predicted), known)
        np.testing.assert_allclose(found.predicted[known], behaviour[20:][known], atol=1e-2)
        assert decode(features, behaviour, slice(0, 20), slice(20, 30)).r2 < 0.2


def test_shift() -> None:
    x = np.arange(4.0).reshape(1, 4, 1)
    np.testing.assert_array_equal(shift(x, 1)[0, :, 0], [1, 2, 3, np.nan])
    np.testing.assert_array_equal(shift(x, -2)[0, :, 0], [np.nan, np.nan, 0, 1])
    np.testing.assert_array_equal(shift(x, 0), x)
    assert np.isnan(shift(x, 9)).all()


def test_masks_select_trials_and_nan_bins_are_dropped() -> None:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((20, 10, 3))
    behaviour = features @ rng.standard_normal((3, 2)) + rng.standard_normal((20, 10, 2))
    train = np.arange(20) < 15
    whole = decode(features, behaviour, train, ~train)
    padded = [
        np.concatenate([x, np.full((20, 4, x.shape[2]), fill)], 1)
        for x, fill in ((features, 7.0), (behaviour, np.nan))
    ]
    assert decode(*padded, train, ~train).r2 == pytest.approx(whole.r2, abs=1e-12)
    assert decode(features, behaviour, np.flatnonzero(train), np.flatnonzero(~train)).r2 == whole.r2


def test_bad_input() -> None:
    features, behaviour = np.zeros((3, 4, 2)), np.zeros((3, 5, 1))
    with pytest.raises(NeuritoError, match="cut them alike"):
        fit_decoder(features, behaviour)
    with pytest.raises(NeuritoError, match="8 bins are known"):
        fit_decoder(features[:2], behaviour[:2, :4])
    with pytest.raises(NeuritoError, match="features: NaN"):
        fit_decoder(np.full((3, 4, 2), np.nan), behaviour[:, :4])
