"""Predictive checks and simulation-based calibration of a model whose data are its own."""

from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest
from tests.inference.exact import known, start

import neurito
from neurito.data import Trials
from neurito.errors import NeuritoError
from neurito.inference import checks
from neurito.inference.checks import check
from neurito.inference.simulation_based import latent_calibration
from neurito.models import LowRankRNN

DRAWS = 39


def drawn(trials: int = 40, **options: object) -> Trials:
    """Data of the known model, of which a channel is held out."""
    found = neurito.generate(known(), trials, 12, seed=3).trials
    return found.hold_out(channels=[1]).with_metadata(condition=np.arange(trials) % 2)


def noisier(factor: float):
    """The known model with another observation noise."""
    fitted = known()
    raw = lambda model: model.heads["signal"].sd.raw  # noqa: E731
    return replace(fitted, model=eqx.tree_at(raw, fitted.model, raw(fitted.model) + np.log(factor)))


def test_a_model_on_its_own_data_and_one_that_is_wrong() -> None:
    told: list[tuple[int, int]] = []
    trials = drawn()
    found = check(known(), trials, draws=DRAWS, progress=lambda *n: told.append(n))
    assert list(found.groups) == ["held out", "read", "simulated"]
    assert told[-1] == (2 * DRAWS, 2 * DRAWS)
    assert len(told) == 4
    for name in ("held out", "simulated"):
        group = found.groups[name]
        assert len(group.pit) == trials.main.values.size // (3 if name == "held out" else 1)
        assert all(
            covered.low - 0.03 < covered.found < covered.high + 0.03
            for covered in group.ranks.coverage().values()
        )
        assert group.ranks.uniformity().p > 0.02
        assert min(one.mean_p for one in group.statistics) > 0.005
    names = [one.name for one in found.groups["simulated"].statistics]
    assert names == ["mean", "sd", "autocorrelation", "correlation", "synchrony", "power", "condition mean"]
    assert found.groups["held out"].channels == 1

    narrow = check(noisier(0.5), trials, draws=DRAWS).groups["held out"]
    assert narrow.ranks.coverage()[0.9].found < 0.8
    assert narrow.ranks.uniformity().p < 0.05
    assert next(one for one in narrow.statistics if one.name == "sd").mean_p < 0.06


def test_counts_of_a_network_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).poisson(0.5, (9, 12, 4)).astype(float)
    values[:, 8:, 3] = np.nan
    trials = Trials.from_array(values, bin_width=0.02, missing="nan").forward(2)
    fitted = start(LowRankRNN(rank=1, units=4, guide="bootstrap", particles=8), trials)
    found = check(fitted, trials, draws=20)
    for group in found.groups.values():
        rate = group.statistics[0]
        assert (rate.name, rate.unit) == ("rate", "spikes/s")
        assert rate.draws.shape == (20, group.channels)
    unread = found.groups["held out"]
    assert len(unread.pit) == 9 * 2 * 3  # the last two bins
    np.testing.assert_allclose(
        unread.statistics[0].observed, values[:, 10:, :3].mean((0, 1)) / 0.02, rtol=1e-6
    )
    monkeypatch.setattr(checks, "_VALUES", 10)
    assert len(check(fitted, trials, draws=20).groups["read"].pit) == 10


def test_bad_input() -> None:
    trials = drawn(4)
    with pytest.raises(NeuritoError, match="draws=3: at least 19"):
        check(known(), trials, draws=3)
    with pytest.raises(NeuritoError, match="head='signl' is not observed: did you mean 'signal'"):
        check(known(), trials, head="signl")
    with pytest.raises(
        NeuritoError, match="condition='side' is no metadata of the trials; there are: condition"
    ):
        check(known(), trials, condition="side")
    with pytest.raises(NeuritoError, match="window: -1 s"):
        check(known(), trials, window=-1.0, draws=19)
    uneven = replace(trials, dt=trials.dt * np.linspace(1, 2, 12))
    with pytest.raises(NeuritoError, match="bins of one width"):
        check(known(), uneven)


def test_exact_inference_finds_the_latents_and_a_faulty_model_does_not() -> None:
    options = {"simulations": 200, "bins": 8, "samples": 31, "particles": 200}
    found = latent_calibration(known(), **options)
    assert found.names[:3] == ("z1 in bin 0", "z1 in bin 4", "z1 in bin 7")
    assert found.names[-1] == "log p(y | z)"
    assert found.ranks.shape == (200, 11)
    assert found.within(0.999, 8).all()
    sure = latent_calibration(known(), inferred_with=noisier(0.4), **options)
    assert (~sure.within(0.999, 8)).sum() > 5
    assert not sure.within(0.999, 8)[-1]


def test_bad_calibrations() -> None:
    with pytest.raises(NeuritoError, match="simulations=0"):
        latent_calibration(known(), simulations=0)
    with pytest.raises(NeuritoError, match="at=9: paths have 3 bins"):
        latent_calibration(known(), simulations=2, bins=3, samples=2, at=(9,))
