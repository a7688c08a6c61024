r"""Simulation-based calibration: whether inference would find what made the data.

Draw the unknown x from the prior and data y given x, infer samples of x given y, and count how many are below the
true x. If inference is right this rank is uniform on 0, ..., L for every quantity f(x, y) of one dimension. A valley
in the middle of the histogram means posteriors too narrow, a hump too wide ones, a slope a shift. Ranks of x alone are
uniform for a posterior that ignores the data, too: a quantity that looks at them, such as log p(y | x), is not.

Sources: Talts et al. 2018 (arXiv 1804.06788); Modrák et al., Bayesian Analysis 20 (2025) 461 (quantities of the
data); Säilynoja, Bürkner, Vehtari, Statistics and Computing 32 (2022) 32 (simultaneous bands).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from neurito.errors import NeuritoError
from neurito.evaluation.calibration import Uniformity

_DRAWN = 4000  # histograms of uniform ranks, by which bands are made simultaneous


class Band(NamedTuple):
    """What a histogram of uniform ranks stays within, all classes at once."""

    low: Int[np.ndarray, " class"]
    high: Int[np.ndarray, " class"]


class Ranks(NamedTuple):
    """Ranks of simulation-based calibration."""

    ranks: Int[np.ndarray, "simulation quantity"]
    """rank of the true quantity among its posterior samples, from 0 to `samples`"""
    samples: int
    """posterior samples per simulation"""
    names: tuple[str, ...] = ()
    """of the quantities"""

    def edges(self, bins: int | None = None) -> Float[np.ndarray, " edge"]:
        """Edges of `bins` classes of ranks, 20 or fewer by default: five simulations or more to a class."""
        k = bins or max(2, min(20, self.samples + 1, len(self.ranks) // 5))
        return np.round(np.linspace(0, self.samples + 1, k + 1)) - 0.5

    def histogram(self, bins: int | None = None) -> Int[np.ndarray, "class quantity"]:
        """Simulations in each class."""
        edges = self.edges(bins)
        return np.stack([np.histogram(column, edges)[0] for column in self.ranks.T], 1)

    def expected(self, bins: int | None = None) -> Float[np.ndarray, " class"]:
        """Simulations in each class if ranks are uniform."""
        return np.diff(self.edges(bins)) / (self.samples + 1) * len(self.ranks)

    def uniformity(self, bins: int | None = None) -> tuple[Uniformity, ...]:
        """Chi-squared test of each quantity's ranks in classes, and the distance of the cumulated histogram."""
        from scipy.stats import chisquare

        ideal, tests = self.expected(bins), []
        for found in self.histogram(bins).T:
            distance = np.abs(np.cumsum(found - ideal)).max() / len(self.ranks)
            tests.append(Uniformity(float(distance), float(chisquare(found, ideal).pvalue)))
        return tuple(tests)

    def band(self, level: float = 0.95, bins: int | None = None) -> Band:
        """Counts within which a histogram of uniform ranks stays as a whole with this probability.

        Every class has the same tail probability, which is found from drawn histograms.

        Raises:
            NeuritoError: the level is not between 0 and 1.
        """
        from scipy.stats import binom

        if not 0 < level < 1:
            raise NeuritoError(f"level: {level} is not between 0 and 1; give 0.95 for 95 %")
        n = len(self.ranks)
        share = self.expected(bins) / n
        drawn = np.random.default_rng(0).multinomial(n, share, _DRAWN)
        tail = np.minimum(binom.cdf(drawn, n, share), binom.sf(drawn - 1, n, share)).min(1)
        least = np.quantile(tail, 1 - level)
        counts = np.arange(n + 1)[:, None]
        inside = (binom.cdf(counts, n, share) >= least) & (binom.sf(counts - 1, n, share) >= least)
        return Band(inside.argmax(0), n - inside[::-1].argmax(0))

    def within(self, level: float = 0.95, bins: int | None = None) -> Bool[np.ndarray, " quantity"]:
        """Which quantities' histograms stay in the band; give a level nearer 1 where there are many quantities."""
        band, found = self.band(level, bins), self.histogram(bins)
        return np.asarray(((found >= band.low[:, None]) & (found <= band.high[:, None])).all(0))


def ranks_of(
    true: Mapping[str, Real[np.ndarray, " simulation"]],
    samples: Mapping[str, Real[np.ndarray, "simulation sample"]],
    seed: int = 0,
) -> Ranks:
    """Ranks of true quantities among their posterior samples, at random among equals.

    Args:
        true: quantities by name.
        samples: the same of independent posterior samples.
        seed: for ties.

    Raises:
        NeuritoError: names or shapes differ, or a value is not finite.
    """
    if true.keys() != samples.keys() or not true:
        raise NeuritoError(f"samples: quantities {list(samples)}, but the truth has {list(true)}")
    rng = np.random.default_rng(seed)
    columns, sizes = [], set()
    for name, one in true.items():
        drawn = samples[name]
        if len(drawn) != len(one):
            raise NeuritoError(f"samples: {len(drawn)} simulations of {name!r}, but the truth has {len(one)}")
        if not (np.isfinite(one).all() and np.isfinite(drawn).all()):
            raise NeuritoError(f"{name!r}: NaN or infinity found; ranks need finite values")
        below, equal = (drawn < one[:, None]).sum(1), (drawn == one[:, None]).sum(1)
        columns.append(below + rng.integers(0, equal + 1))
        sizes.add(drawn.shape[1])
    if len(sizes) != 1:
        raise NeuritoError(f"samples: {sorted(sizes)} of different quantities; give as many of each")
    return Ranks(np.stack(columns, 1), sizes.pop(), tuple(true))


def path_quantities(
    z: Real[np.ndarray, "simulation time *sample latent"], at: Sequence[int] = (0, -1)
) -> dict[str, Float[np.ndarray, "simulation *sample"]]:
    """What of a path is ranked: every latent in some bins, its mean and its roughness, by name.

    Args:
        z: paths, with an axis of samples before the last or without.
        at: bins; negative ones count from the end.

    Raises:
        NeuritoError: there is no such bin.
    """
    bins = z.shape[1]
    for bin_ in at:
        if not -bins <= bin_ < bins:
            raise NeuritoError(f"at={bin_}: paths have {bins} bins, 0 to {bins - 1}")
    found: dict[str, np.ndarray] = {}
    for i, one in enumerate(np.moveaxis(z, -1, 0).astype(np.float64), start=1):
        found |= {f"z{i} in bin {bin_ % bins}": one[:, bin_] for bin_ in at}
        found[f"mean of z{i}"] = one.mean(1)
        if bins > 1:
            found[f"roughness of z{i}"] = (np.diff(one, axis=1) ** 2).mean(1)
    return found


def simulation_based_calibration(
    prior: Callable[[np.random.Generator], Float[np.ndarray, " parameter"]],
    simulate: Callable[[Float[np.ndarray, " parameter"], np.random.Generator], object],
    posterior: Callable[[object, np.random.Generator], Float[np.ndarray, "sample parameter"]],
    simulations: int = 200,
    seed: int = 0,
) -> Ranks:
    """Ranks of parameters drawn from the prior among posterior samples given data simulated from them.

    Correct inference makes them uniform. Thin autocorrelated samples first. Of the latents of a fitted model there is
    `neurito.inference.latent_calibration`.

    Args:
        prior: draws parameters.
        simulate: draws data given parameters.
        posterior: draws independent samples given data, always as many.
        simulations: how often.
        seed: for everything; the three functions are handed a generator each time.

    Raises:
        NeuritoError: the number of posterior samples changes.
    """
    ranks: list[Int[np.ndarray, " parameter"]] = []
    sizes = set()
    for stream in np.random.SeedSequence(seed).spawn(simulations):
        rng = np.random.default_rng(stream)
        true = prior(rng)
        draws = posterior(simulate(true, rng), rng)
        ranks.append((draws < true).sum(0))
        sizes.add(len(draws))
    if len(sizes) != 1:
        raise NeuritoError(
            f"posterior: {sorted(sizes)} samples were returned; return the same number every time"
        )
    return Ranks(np.array(ranks), sizes.pop())
