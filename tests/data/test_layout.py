"""Axes: known, told, or asked for; never guessed."""

import numpy as np
import pytest

from neurito.data import layout
from neurito.errors import NeuritoError


@pytest.mark.parametrize(
    ("shape", "known", "axes"),
    [
        ((171, 15536), {15536: {"time"}}, ("channel", "time")),
        ((15536, 171), {15536: {"time"}}, ("time", "channel")),
        ((15536, 171), {171: {"channel"}}, ("time", "channel")),
        ((257, 51, 395), {51: {"channel"}, 395: {"time"}}, ("trial", "channel", "time")),
        ((51, None), {}, ("channel", "time")),
        ((None, 51), {}, ("time", "channel")),
        ((100, 100), {100: {"time"}}, None),
        ((171, 15536), {}, None),
        ((257, 51, 395), {395: {"time"}}, None),
        ((20, 50), {20: {"trial"}}, None),
        ((20, 50), {20: {"trial"}, 50: {"channel"}}, None),
        ((20, 50), {20: {"time", "channel"}}, None),
        ((None, None), {}, None),
    ],
)
def test_axes_are_deduced_only_without_doubt(shape, known, axes):
    assert layout.deduce(shape, known) == axes


def test_numbers_that_tell():
    found = layout.sizes(
        {"meta/n_neurons": 51, "max_n_time_bins": 395, "num_trials": 7, "n_trials_seen": [1], "x": 3}
    )
    assert found == {51: {"channel"}, 395: {"time"}, 7: {"trial"}}


def test_arranging():
    array = np.arange(24).reshape(2, 3, 4)
    assert layout.arrange(array, ("channel", "time", "trial")).shape == (4, 3, 2)
    assert layout.arrange(array[0], ("channel", "time")).shape == (1, 4, 3)
    np.testing.assert_array_equal(layout.arrange(array[0], ("channel", "time"))[0], array[0].T)
    assert layout.arrange(array[0, 0], ("time",)).shape == (1, 4, 1)


def test_words():
    assert layout.parse("channel, time", 2) == ("channel", "time")
    for axes, message in (
        ("trial time neuron", "'neuron' is no axis; choose from trial, time, channel"),
        ("trial tim channel", "did you mean 'time'"),
        ("trial channel", "must name time"),
        ("time time", "each axis once"),
        ("time channel", "names 2 axes of an array that has 3"),
    ):
        with pytest.raises(NeuritoError, match=message):
            layout.parse(axes, 3)


def test_the_error_shows_both_readings():
    message = str(layout.doubt("'x'", (9640, 64)))
    assert "9640 bins x 64 channels (axes='time channel')" in message
    assert "64 bins x 9640 channels (axes='channel time')" in message
    message = str(layout.doubt("'x'", (200, 20, 75)))
    assert "200 trials x 20 bins x 75 channels (axes='trial time channel')" in message
    assert "200 trials x 75 bins x 20 channels (axes='trial channel time')" in message


def test_arrays_beside_the_main_one():
    assert layout.follow((3, 100), ("channel", "time"), 1, 100) == ("channel", "time")
    assert layout.follow((100, 3), ("channel", "time"), 1, 100) == ("time", "channel")
    assert layout.follow((100,), ("channel", "time"), 1, 100) == ("time",)
    assert layout.follow((7, 100), ("trial", "time", "channel"), 7, 100) == ("trial", "time")
    assert layout.follow((100, 7, 2), ("trial", "time", "channel"), 7, 100) == ("time", "trial", "channel")
    assert layout.follow((7, 99, 2), ("trial", "time", "channel"), 7, 100) is None
    assert layout.follow((7, 7, 7), ("trial", "channel", "time"), 7, 7) == ("trial", "channel", "time")
