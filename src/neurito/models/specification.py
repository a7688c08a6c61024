"""What all named models share: how they observe, how they are guided, how they are built."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from neurito.core import choices, runtime
from neurito.core.dynamics import Dynamics
from neurito.core.encoders import CNN, GRU, Adapter, Encoder
from neurito.core.guides import Bootstrap, Encoded, Guide, Optimal
from neurito.core.observations import (
    Affine,
    Currents,
    Gaussian,
    NegativeBinomial,
    Observation,
    Poisson,
    Rates,
    Readout,
)
from neurito.core.observations.links import LINKS, inverse
from neurito.core.resampling import Scheme
from neurito.core.scan import Inference, Model, Objective
from neurito.errors import NeuritoError, nearest
from neurito.models.layout import Layout

Form = Literal["scalar", "diagonal", "full"]


@dataclass(frozen=True, kw_only=True)
class Specification(abc.ABC):
    """A model in words: everything needed to build it for a recording.

    Attributes:
        head: which signal it observes; empty = the recording's first.
        observations: gaussian, poisson or negative_binomial; auto = poisson for counts, gaussian otherwise.
        readout: affine (any number of channels), or one unit per channel, from its current or its rate.
        link: from readout to expected counts per bin: softplus, exp or identity.
        observation_noise: Gaussian observations: one standard deviation per channel (diagonal) or in all (scalar).
        observation_sd: its start, in standard deviations of the data.
        noise: form of the covariance of the latent noise.
        noise_sd: its start.
        initial: form of the covariance of the initial state.
        initial_sd: its start.
        guide: optimal (Gaussian observations), encoder, or bootstrap; auto = the first that applies.
        encoder: cnn or gru.
        kernels: widths of the CNN's convolutions, in bins.
        widths: its channels after each convolution but the last.
        padding: whether it sees earlier bins (causal), later ones (acausal), or both (centred).
        hidden: units of the GRU, per direction.
        direction: forward (causal), backward, or both.
        encoder_sd: standard deviation of the encoder's Gaussian at the start.
        particles: K.
        objective: vsmc, iwae or elbo.
        kl_weight: weight of the divergence in a fit by elbo; 1 is the bound.
        resampling: systematic, multinomial or none.
        threshold: resample when the effective sample size falls to this share of K (1 = at every bin).
        adapted: resample before moving (fully adapted; needs the optimal guide).
        fixed: parameters that keep their start, by dotted name, * as wildcard.
    """

    name: ClassVar[str]
    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    head: str = ""
    observations: Literal["auto", "gaussian", "poisson", "negative_binomial"] = "auto"
    readout: Literal["affine", "currents", "rates"] = "affine"
    link: Literal["softplus", "exp", "identity"] = "softplus"
    observation_noise: Literal["scalar", "diagonal"] = "diagonal"
    observation_sd: float = 0.5
    noise: Form = "diagonal"
    noise_sd: float = 0.1
    initial: Form = "diagonal"
    initial_sd: float = 1.0
    guide: Literal["auto", "optimal", "encoder", "bootstrap"] = "auto"
    encoder: Literal["cnn", "gru"] = "cnn"
    kernels: tuple[int, ...] = (21, 11, 1)
    widths: tuple[int, ...] = (64, 64)
    padding: Literal["causal", "acausal", "centred"] = "centred"
    hidden: int = 64
    direction: Literal["forward", "backward", "both"] = "both"
    encoder_sd: float = 0.3
    particles: int = 16
    objective: Objective = "vsmc"
    kl_weight: float = 1.0
    resampling: Scheme = "systematic"
    threshold: float = 1.0
    adapted: bool = False
    fixed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks words and numbers."""
        choices.check(self)
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if any(isinstance(x, int) and not isinstance(x, bool) and x < 1 for x in numbers):
                raise NeuritoError(f"{field.name}={value}: at least 1 is needed")

    @abc.abstractmethod
    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> Dynamics:
        """The latent process, at its start."""

    def observed(self, layout: Layout) -> str:
        """The name of the head that the model observes."""
        if self.head and self.head not in layout.heads:
            raise NeuritoError(f"head={self.head!r}: {nearest(self.head, layout.heads)}")
        return self.head or next(iter(layout.heads))

    def inference(self) -> Inference:
        """How particles are used in training."""
        return Inference(
            particles=self.particles,
            objective=self.objective,
            resampling=self.resampling if self.objective == "vsmc" else "none",
            threshold=self.threshold,
            adapted=self.adapted,
        )

    def build(self, layout: Layout, key: PRNGKeyArray) -> Model:
        """The model at its start.

        Raises:
            NeuritoError: the options contradict each other or the recording.
        """
        runtime.start()
        keys = jax.random.split(key, 3)
        head = self.observed(layout)
        dynamics = self.dynamics(layout, keys[0])
        observation = self._observation(layout, head, dynamics.latent_dim, keys[1])
        guide = self._guide(observation)
        encoder = self._encoder(layout, head, 2 * dynamics.latent_dim, keys[2]) if guide.encoded else None
        return Model(dynamics, {head: observation}, guide, encoder)

    def _kind(self, layout: Layout, head: str) -> str:
        kind = layout.heads[head].kind
        if self.observations == "auto":
            return "poisson" if kind == "counts" else "gaussian"
        if self.observations != "gaussian" and kind != "counts":
            raise NeuritoError(
                f"observations={self.observations!r} needs counts, and {head!r} is {kind}: use 'gaussian', "
                "or load the data with kind='counts' if they are counts"
            )
        return self.observations

    def _observation(self, layout: Layout, head: str, latents: int, key: PRNGKeyArray) -> Observation:
        channels, sessions = layout.heads[head].channels, len(layout.sessions)
        kind = self._kind(layout, head)
        mean = layout.mean.get(head, np.ones((sessions, channels)))
        sd = layout.sd.get(head, np.ones((sessions, channels)))
        if self.link not in LINKS:
            raise NeuritoError(f"link={self.link!r}: {nearest(self.link, LINKS)}")
        eta = (
            jnp.asarray(mean)
            if kind == "gaussian"
            else inverse(self.link, jnp.maximum(jnp.asarray(mean), 1e-3))
        )
        readout: Readout
        if self.readout == "affine":
            readout = Affine(latents, channels, sessions, key=key, bias=eta)
        elif sessions > 1:
            raise NeuritoError(
                f"readout={self.readout!r} ties units to channels; {sessions} sessions need 'affine'"
            )
        else:
            readout = Currents(channels) if self.readout == "currents" else Rates(channels)
        if kind == "gaussian":
            start = self.observation_sd * np.where(sd > 0, sd, 1.0)
            diagonal = self.observation_noise == "diagonal"
            return Gaussian(
                readout,
                jnp.asarray(start if diagonal else start.mean()),
                (sessions, channels) if diagonal else (),
            )
        if kind == "poisson":
            return Poisson(readout, self.link, layout.bin_width, layout.regular)
        return NegativeBinomial(readout, self.link, layout.bin_width, layout.regular, channels)

    def _guide(self, observation: Observation) -> Guide:
        linear = isinstance(observation, Gaussian) and not isinstance(observation.readout, Rates)
        choice = self.guide if self.guide != "auto" else "optimal" if linear else "encoder"
        if choice == "optimal" and not linear:
            raise NeuritoError(
                "guide='optimal' has a closed form only for Gaussian observations that are linear in the state: "
                "use guide='encoder' or 'bootstrap'"
            )
        if self.adapted and choice != "optimal":
            raise NeuritoError(f"adapted=True needs guide='optimal', found {choice!r}")
        guides: dict[str, Callable[[], Guide]] = {
            "optimal": Optimal,
            "encoder": Encoded,
            "bootstrap": Bootstrap,
        }
        return guides[choice]()

    def _encoder(self, layout: Layout, head: str, features: int, key: PRNGKeyArray) -> Encoder:
        channels, sessions = layout.heads[head].channels, len(layout.sessions)
        adapter = None
        if sessions > 1:
            width, key_a = self.widths[0], jax.random.fold_in(key, 1)
            adapter = Adapter(jax.random.normal(key_a, (sessions, channels, width)) * channels**-0.5)
            channels = width
        encoder: CNN | GRU
        if self.encoder == "cnn":
            encoder = CNN(
                channels, features, self.kernels, self.widths, self.padding, (head,), key=key, adapter=adapter
            )
            bias = encoder.biases[-1]
            last = (*encoder.biases[:-1], _with_log_variance(bias, self.encoder_sd))
            return _replace(encoder, biases=last)
        encoder = GRU(channels, features, self.hidden, self.direction, (head,), key=key, adapter=adapter)
        return _replace(encoder, bias=_with_log_variance(encoder.bias, self.encoder_sd))


def _with_log_variance(bias: Array, sd: float) -> Array:
    """The second half of an encoder's features starts at log sd^2."""
    half = bias.shape[0] // 2
    return bias.at[half:].add(2 * np.log(sd))


def _replace(encoder: Encoder, **fields: object) -> Encoder:
    names = list(fields)
    return eqx.tree_at(lambda e: [getattr(e, n) for n in names], encoder, [fields[n] for n in names])
