"""Prior densities of parameters, by name."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from neurito.core.parameters import covers, valued
from neurito.errors import NeuritoError, nearest

_FORM = re.compile(r"\s*(\S+)\s*~\s*(\w+)\s*\(([^,()]+),([^,()]+)\)\s*")

_Density = Callable[[Any, float, float], Any]
_FAMILIES: dict[str, _Density] = {
    "normal": lambda x, a, b: -0.5 * ((x - a) / b) ** 2 - jnp.log(b * (2 * jnp.pi) ** 0.5),
    "lognormal": lambda x, a, b: -0.5 * (jnp.log(x / a) / b) ** 2 - jnp.log(x * b * (2 * jnp.pi) ** 0.5),
    "laplace": lambda x, a, b: -jnp.abs(x - a) / b - jnp.log(2 * b),
}


@dataclass(frozen=True)
class Prior:
    """Independent densities of a parameter's entries, on the scale that `parameters` shows (not of what is stored).

    normal(mean, sd), lognormal(median, sd of the logarithm) and laplace(median, scale).

    Attributes:
        name: of the parameter, dotted, * as wildcard.
        family: normal, lognormal or laplace.
        location: mean or median.
        scale: positive.
    """

    name: str
    family: str
    location: float
    scale: float

    @classmethod
    def of(cls, text: str) -> "Prior":
        """From words, as "dynamics.drift.omega ~ normal(6, 1)".

        Raises:
            NeuritoError: the words do not have that form, or a scale is not positive.
        """
        found = _FORM.fullmatch(text)
        try:
            if found is None:
                raise ValueError
            prior = cls(found[1], found[2], float(found[3]), float(found[4]))
        except ValueError:
            raise NeuritoError(f"priors={text!r}: write 'NAME ~ normal(MEAN, SD)', with numbers") from None
        if prior.family not in _FAMILIES:
            raise NeuritoError(f"priors={text!r}: {nearest(prior.family, _FAMILIES)}")
        if not prior.scale > 0 or (prior.family == "lognormal" and not prior.location > 0):
            raise NeuritoError(f"priors={text!r}: the scale, and the median of a lognormal, must be positive")
        return prior

    def log_density(self, x: Float[Array, "..."]) -> Float[Array, ""]:
        """Summed over entries."""
        return jnp.sum(_FAMILIES[self.family](x, self.location, self.scale))


def log_prior(model: eqx.Module, priors: Sequence[Prior]) -> Float[Array, ""]:
    """The log density of a model's parameters; those without a prior have a flat one.

    Raises:
        NeuritoError: a name fits no parameter.
    """
    total = jnp.zeros(())
    values = valued(model)
    for prior in priors:
        found = [x for name, x in values.items() if covers(prior.name, name)]
        if not found:
            raise NeuritoError(f"priors: {prior.name!r} names no parameter: {nearest(prior.name, values)}")
        total = total + sum(prior.log_density(x) for x in found)
    return total


def check(model: eqx.Module, priors: Sequence[Prior]) -> None:
    """Raises NeuritoError if a name fits no parameter."""
    jax.eval_shape(lambda m: log_prior(m, priors), eqx.filter(model, eqx.is_array))
