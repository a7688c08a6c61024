"""A bound that is not finite: what is restored, what is said, and when it is given up."""

from typing import Any

import jax
import numpy as np
import pytest
from tests.fitting.small import SPEC, STEPS, TRAIN, run

from neurito.errors import NeuritoError
from neurito.fitting import steps


class Faulty:
    """Gradient steps of which some calls fail at their n-th step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **fails: int) -> None:
        self.train, self.calls, self.fails = steps.train, 0, {int(k[1:]): v for k, v in fails.items()}
        self.starts: list[np.ndarray] = []
        self.rates: list[float] = []
        self.first: list[int] = []
        self.fresh: list[bool] = []  # whether the optimiser has seen nothing
        monkeypatch.setattr(steps, "train", self)

    def __call__(self, state: Any, rest: Any, data: Any, rows: Any, key: Any, **options: Any) -> Any:
        self.starts.append(np.array(state.vector))
        self.rates.append(float(rows.rate[0]))
        self.first.append(int(rows.step[0]))
        self.fresh.append(not any(np.any(x) for x in jax.tree.leaves(state.optimiser)))
        state, log = self.train(state, rest, data, rows, key, **options)
        self.calls += 1
        if self.calls in self.fails:
            log = log._replace(bound=log.bound.at[self.fails[self.calls]].set(np.nan))
            state = jax.tree.map(lambda x: x * np.nan if x.dtype.kind == "f" else x, state)
        return state, log


def test_a_stretch_that_fails_is_done_again_at_half_the_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = Faulty(monkeypatch, c3=1)
    fitted = run(SPEC, TRAIN, None, progress=None, schedule="constant")
    assert faulty.first == [0, 2, 4, 4, 6, 8, 10]
    np.testing.assert_array_equal(faulty.starts[3], faulty.starts[2])
    assert faulty.fresh == [True] + [False] * 6
    assert faulty.rates[3:] == pytest.approx([faulty.rates[0] / 2] * 4)
    assert "step 4: the bound is not finite; restored the last good state, learning rate now 0.5" in (
        capsys.readouterr().out
    )
    assert fitted.history[-1]["step"] == STEPS
    assert fitted.history[-1]["learning_rate"] == pytest.approx(faulty.rates[0] / 2)
    assert all(np.isfinite(x).all() for x in fitted.parameters.values())


@pytest.mark.parametrize("fails", [{"c3": 0}, {"c3": 1, "c4": 1}])
def test_a_state_that_cannot_go_on_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, fails: dict[str, int]
) -> None:
    faulty = Faulty(monkeypatch, **fails)
    fitted = run(SPEC, TRAIN, None)
    again = len(fails) + 2
    assert faulty.first[again] == 2
    np.testing.assert_array_equal(faulty.starts[again], faulty.starts[1])
    assert [i for i, fresh in enumerate(faulty.fresh) if fresh] == [0, again]
    assert [entry["step"] for entry in fitted.history] == [2, 4, 6, 8, 10, 12]


def test_it_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Faulty(monkeypatch, **{f"c{i}": 0 for i in range(2, 50)})
    with pytest.raises(NeuritoError, match=r"the fit diverges at step 0 even at .* lower learning_rate"):
        run(SPEC, TRAIN, None)
    assert faulty.calls == 10


def test_a_rate_far_too_high_is_lowered_until_it_works(capsys: pytest.CaptureFixture[str]) -> None:
    fitted = run(SPEC, TRAIN, None, progress=None, learning_rate=0.5, schedule="cosine")
    assert "learning rate now 0.5 of the schedule" in capsys.readouterr().out
    assert np.isfinite(fitted.history[-1]["bound"])
