import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from neurito.errors import NeuritoError
from neurito.evaluation import r_squared, rates_r2
from neurito.evaluation.rates import pearson


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.gamma(1.0, 5.0, (4, 10, 5))
    true[..., 3] = 2.0
    predicted = true + rng.standard_normal(true.shape) * rng.gamma(1.0, 3.0, 5)
    predicted[..., 4] = true[..., 4]
    flat = true.reshape(-1, 5), predicted.reshape(-1, 5)
    each = r2_score(*flat, multioutput="raw_values")
    np.testing.assert_allclose(r_squared(true, predicted), each, rtol=1e-10)
    found = rates_r2(true, predicted)
    assert found.mean == pytest.approx(r2_score(*flat))
    assert found.median == pytest.approx(np.median(each))
    assert found.pooled == pytest.approx(r2_score(true.ravel(), predicted.ravel()))


def test_masks() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.standard_normal((2, 3, 8, 2))
    true[0, 2, 0] = np.nan
    score = rng.random(true.shape) < 0.7
    kept = score & ~np.isnan(true)
    want = [r2_score(true[..., i][kept[..., i]], predicted[..., i][kept[..., i]]) for i in range(2)]
    np.testing.assert_allclose(r_squared(true, predicted, score), want)
    assert np.isnan(r_squared(np.stack([true[..., 1], np.full((3, 8), np.nan)], -1), predicted)[1])
    with pytest.raises(NeuritoError, match="predicted: NaN"):
        r_squared(true, np.full(true.shape, np.nan))


def test_pearson() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 20))
    assert pearson(np.append(a, np.nan), np.append(b, 1.0)) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert np.isnan(pearson(a, np.ones(20)))
    assert np.isnan(pearson(a[:1], b[:1]))
