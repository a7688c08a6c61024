"""Expressions over columns: what they choose, what is refused."""

import numpy as np
import pytest

from neurito.data.filters import choose
from neurito.errors import NeuritoError

COLUMNS = {
    "quality": np.array(["good", "mua", "good", "noise"]),
    "depth": np.array([1.0, 2.0, 3.0, np.nan]),
    "bad": np.array([False, False, True, False]),
}


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("quality == 'good'", [0, 2]),
        ("quality != 'noise' and depth >= 2", [1, 2]),
        ("depth > -1 and not bad", [0, 1]),
        ("quality in ['mua', 'noise'] or bad", [1, 2, 3]),
        ("quality not in ('mua', 'noise')", [0, 2]),
        ("1 < depth < 3", [1]),
        ("bad", [2]),
    ],
)
def test_what_is_chosen(expression, rows):
    assert np.flatnonzero(choose(expression, COLUMNS, 4)).tolist() == rows


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("qualty == 'good'", "no column 'qualty'; did you mean 'quality'"),
        ("quality = 'good'", "is no expression"),
        ("__import__('os').getcwd()", "is no expression"),
        ("depth.max() > 1", "is no expression"),
        ("[depth for depth in bad]", "is no expression"),
        ("depth + 1 > 2", "is no expression"),
        ("quality is 'good'", "is no expression"),
        ("quality > 3", "is no expression"),
        ("", "is no expression"),
        ("depth > 9", "holds for none of 4 units"),
    ],
)
def test_what_is_refused(expression, message):
    with pytest.raises(NeuritoError, match=message):
        choose(expression, COLUMNS, 4)
