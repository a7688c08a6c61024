"""Agreement with nlb_tools 0.0.4 (golden/make_nlb_golden.py)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurito.evaluation import bits_per_spike, decode, poisson_nll, psth_r2, tp_correlation, velocity_r2
from neurito.evaluation.psth import Psth

Case = Callable[[str], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def golden() -> Case:
    with np.load(Path(__file__).parent / "golden" / "nlb.npz", allow_pickle=False) as file:
        stored = dict(file)

    def case(name: str) -> dict[str, np.ndarray]:
        return {key.rsplit("/", 1)[1]: value for key, value in stored.items() if key.startswith(name + "/")}

    return case


@pytest.mark.parametrize("name", ["plain", "missing", "unpredicted", "zero", "silent", "all"])
def test_bits(golden: Case, name: str) -> None:
    case = golden(f"bits/{name}")
    expected, counts = case["expected"].copy(), case["counts"].copy()
    assert poisson_nll(expected, counts) == pytest.approx(float(case["nll"]), rel=1e-9)
    assert bits_per_spike(expected, counts) == pytest.approx(float(case["bits"]), abs=1e-9)
    np.testing.assert_array_equal(expected, case["expected"])  # arguments are left alone
    np.testing.assert_array_equal(counts, case["counts"])


@pytest.mark.parametrize("name", ["one", "two"])
def test_velocity(golden: Case, name: str) -> None:
    case = golden(f"velocity/{name}")
    n = len(case["rates"]) * 2 // 3
    groups = case["masks"].argmax(1)
    r2 = velocity_r2(case["rates"], case["behaviour"], slice(0, n), slice(n, None), groups=groups)
    assert r2 == pytest.approx(float(case["r2"]), abs=1e-7)
    by_index = decode(
        case["rates"], case["behaviour"], np.arange(n), np.arange(n, len(groups)), groups=groups
    )
    assert by_index.r2 == r2


def test_psth(golden: Case) -> None:
    for name in ("plain", "jitter"):
        case = golden(f"psth/{name}")
        target = Psth(np.arange(4), case["target"])
        r2 = psth_r2(target, case["rates"], case["condition"], case.get("jitter"))
        assert r2 == pytest.approx(float(case["r2"]), abs=1e-9)


def test_tp_correlation(golden: Case) -> None:
    case = golden("tp")
    behaviour, inside = case["behaviour"], ~np.isnan(case["spikes"][..., 0])
    r = tp_correlation(case["rates"], behaviour[:, -1], behaviour[:, :3], inside)
    assert r == pytest.approx(float(case["r"]), abs=1e-9)
