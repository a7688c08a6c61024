"""Recorded beside simulated data."""

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from neurito.data.trials import Trials
from neurito.evaluation.rates import pearson
from neurito.evaluation.spikes import SpikeStatistics, spike_statistics
from neurito.plots.style import DATA, MODEL, STYLE, caption, panels


def generated(data: Trials, drawn: Trials, head: str | None = None) -> Figure:
    """Recorded beside simulated data: spike statistics and power spectra.

    Args:
        data: the recording.
        drawn: simulations of the model, `Generated.trials`.
        head: the head that the model observes; None = the main one.
    """
    with mpl.rc_context(STYLE):
        return (_spikes if data.head(head).kind == "counts" else _signals)(data, drawn, head)


def _spikes(data: Trials, drawn: Trials, head: str | None) -> Figure:
    segment = max(4, min(data.n_bins, drawn.n_bins, 256))
    found, made = (
        spike_statistics(x.values, data.bin_width, segment=segment)
        for x in (data.head(head), drawn.head(head))
    )
    figure, axes = panels(7.0, 5.2, 2, 3)
    flat = axes.ravel()
    pairs = np.triu_indices(len(found.rate), 1)

    def of(s: SpikeStatistics) -> list[tuple[str, str, np.ndarray]]:
        return [
            ("mean rate", "spikes/s", s.rate),
            ("mean inter-spike interval", "s", s.isi_mean),
            ("CV of intervals", "", s.isi_cv),
            ("correlation of counts", "", s.correlation[pairs]),
            ("mean coherence", "", s.coherence[:, *pairs].mean(0)),
        ]

    for axis, (name, unit, x), (_, _, y) in zip(flat, of(found), of(made), strict=False):
        both = np.isfinite(x) & np.isfinite(y)
        axis.scatter(
            x[both], y[both], s=5, color=MODEL, alpha=max(0.15, min(1, 60 / max(both.sum(), 1))), lw=0
        )
        if both.any():
            ends = [min(x[both].min(), y[both].min()), max(x[both].max(), y[both].max())]
            axis.plot(ends, ends, color=DATA, lw=0.6)
        suffix = f" ({unit})" if unit else ""
        axis.set(title=f"{name}, r = {pearson(x, y):.2f}", xlabel=f"data{suffix}", ylabel=f"model{suffix}")
        axis.locator_params(nbins=4)
    for s, colour, label in ((found, DATA, "data"), (made, MODEL, "model")):
        flat[5].loglog(s.frequency[:-1], np.nanmean(s.power, 1)[:-1], color=colour, label=label)
    flat[5].set(title="power, mean over neurons", xlabel="frequency (Hz)", ylabel="(spikes/s)²/Hz")
    flat[5].legend()
    caption(
        figure,
        f"Simulations of the model against {data.n_trials} recorded trials. A dot is a neuron, or a pair of neurons; "
        "on the grey line both agree.",
    )
    return figure


def _signals(data: Trials, drawn: Trials, head: str | None) -> Figure:
    from scipy.signal import welch

    recorded, simulated = data.head(head), drawn.head(head)
    length = int(min(data.lengths.min(), drawn.lengths.min()))
    segment = min(length, 512)
    figure, axes = panels(7.0, 4.6, 2, 2)
    chosen = np.unique(np.linspace(0, recorded.n_channels - 1, min(5, recorded.n_channels)).astype(int))
    shown = min(length, 500)
    low, high = np.inf, -np.inf
    for axis, x, trials, name, colour in (
        (axes[0, 0], recorded, data, "data", DATA),
        (axes[0, 1], simulated, drawn, "model", MODEL),
    ):
        sd = np.nanstd(recorded.values[..., chosen], (0, 1)) + 1e-12
        for i, channel in enumerate(chosen):
            axis.plot(
                trials.time[0, :shown], x.values[0, :shown, channel] / sd[i] + 5 * i, color=colour, lw=0.7
            )
        axis.set(title=name, xlabel="time (s)", yticks=5 * np.arange(len(chosen)))
        axis.set_yticklabels([recorded.names[c] for c in chosen])
        low, high = min(low, axis.get_ylim()[0]), max(high, axis.get_ylim()[1])
    for axis in axes[0]:
        axis.set(ylabel="channel (sd)", ylim=(low, high))
    for x, colour, label in ((recorded, DATA, "data"), (simulated, MODEL, "model")):
        whole = x.values[:, :length]
        kept = whole[~np.isnan(whole).any((1, 2))]
        if len(kept):
            frequency, power = welch(kept, 1 / data.bin_width, nperseg=segment, axis=1)
            power = power.mean(0)[1:]
            axes[1, 0].fill_between(
                frequency[1:], *np.quantile(power, [0.1, 0.9], axis=1), color=colour, alpha=0.2, lw=0
            )
            axes[1, 0].loglog(frequency[1:], np.median(power, 1), color=colour, label=label)
    bottom, top = axes[1, 0].get_ylim()
    axes[1, 0].set_ylim(bottom=max(bottom, 1e-8 * top))  # filtered signals have none at high frequencies
    unit = f"{recorded.unit}²/Hz" if recorded.unit else "power per Hz"
    axes[1, 0].set(title="power spectra", xlabel="frequency (Hz)", ylabel=unit)
    axes[1, 0].legend()
    pairs = np.triu_indices(recorded.n_channels)
    real, made = (_covariance(one.values)[pairs] for one in (recorded, simulated))
    ends = [min(real.min(), made.min()), max(real.max(), made.max())]
    axes[1, 1].scatter(real, made, s=4, color=MODEL, alpha=0.4, lw=0)
    axes[1, 1].plot(ends, ends, color=DATA, lw=0.6)
    axes[1, 1].set(
        title=f"covariances of channels, r = {pearson(real, made):.2f}", xlabel="data", ylabel="model"
    )
    caption(
        figure,
        "Above: a stretch of some channels, recorded and simulated, in standard deviations of the data. Below: power "
        "spectra, median and 10 to 90 % of the channels; covariances of channels, equal on the grey line.",
    )
    return figure


def _covariance(values: Float[np.ndarray, "trial time channel"]) -> Float[np.ndarray, "channel channel"]:
    rows = values.reshape(-1, values.shape[2]).astype(np.float64)
    rows = rows[~np.isnan(rows).any(1)]
    return np.atleast_2d(np.cov(rows.T))
