"""What a fitted baseline says about a recording."""

from typing import Any

import numpy as np

from neurito.baselines import FittedBaseline
from neurito.data.trials import Trials
from neurito.models.fitted import Fitted, HasFitted


def baseline_of(model: Fitted | HasFitted) -> FittedBaseline | None:
    """The baseline of a run, or the baseline itself; None if it is another model."""
    found = getattr(model, "fitted", model)
    return found if isinstance(found, FittedBaseline) else None


def infer(baseline: FittedBaseline, trials: Trials, quantiles: tuple[float, ...]) -> Any:
    """What `neurito.infer` gives of a baseline.

    Args:
        baseline: a fitted one.
        trials: the recording.
        quantiles: of latents and rates; rates of a baseline without uncertainty have them all alike.

    Returns:
        Dataset over (trial, time, latent, quantile, channel): rate_mean and rate_quantile (spikes/s), and where the
        baseline has them latent_mean, latent_sd and latent_quantile. NaN after a trial's end.
    """
    import xarray as xr
    from scipy.special import ndtri

    found = baseline.predict(trials)
    per_second = 1 / trials.dt[..., None]
    data = {
        "rate_mean": (("channel",), found.expected * per_second),
        "rate_quantile": (("quantile", "channel"), found.quantiles(quantiles) * per_second[:, :, None]),
    }
    if found.latents is not None:
        data["latent_mean"] = (("latent",), found.latents)
    if found.latents is not None and found.latent_sd is not None:
        z = found.latents[:, :, None] + found.latent_sd[:, :, None] * ndtri(np.asarray(quantiles))[:, None]
        data |= {"latent_sd": (("latent",), found.latent_sd), "latent_quantile": (("quantile", "latent"), z)}

    def there(value: np.ndarray) -> np.ndarray:
        exists = trials.exists.reshape(*trials.exists.shape, *(1,) * (value.ndim - 2))
        return np.where(exists, value, np.nan).astype(np.float32)

    dataset = xr.Dataset(
        {name: (("trial", "time", *axes), there(value)) for name, (axes, value) in data.items()},
        coords={"trial": trials.ids, "channel": list(trials.main.names), "quantile": list(quantiles)},
        attrs={"model": baseline.specification.name},
    )
    dataset["rate_mean"].attrs["units"] = dataset["rate_quantile"].attrs["units"] = "spikes/s"
    return dataset.assign_coords(time=("time", trials.time[0], {"units": "s"}))
