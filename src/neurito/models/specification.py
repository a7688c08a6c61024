"""What all named models share: how they observe, how they are guided, how they are built."""

import abc
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from neurito.core import choices, runtime
from neurito.core.dropout import Dropout
from neurito.core.dynamics import Dynamics
from neurito.core.encoders import CNN, GRU, Adapter, Encoder
from neurito.core.guides import Bootstrap, Control, Encoded, Guide, Optimal
from neurito.core.layers import Activation
from neurito.core.observations import (
    Affine,
    Currents,
    Gaussian,
    NegativeBinomial,
    Observation,
    Perceptron,
    Poisson,
    Rates,
    Readout,
    Transformer,
)
from neurito.core.observations.links import LINKS, inverse
from neurito.core.priors import Prior
from neurito.core.resampling import Scheme
from neurito.core.scan import Estimator, Inference, Model, Objective
from neurito.errors import NeuritoError, nearest
from neurito.models import describing
from neurito.models.layout import Layout

Form = Literal["scalar", "diagonal", "full"]


@dataclass(frozen=True, kw_only=True)
class Specification(abc.ABC):
    """A model in words: everything needed to build it for a recording.

    Attributes:
        heads: which signals it observes, the main one first; empty = the recording's first.
        observations: of the main signal: gaussian, poisson or negative_binomial; auto = poisson for counts, gaussian
            otherwise, as for the others.
        readout: affine; mlp (bin by bin); transformer (over the whole trajectory); or one unit per channel, from its
            current or its rate.
        decoder: hidden layers of the mlp.
        decoder_width: width of the transformer; 0 = that of its input.
        attention_heads: of the transformer.
        feedforward: units between its feed-forward layers.
        positional: whether it is told the bin's place in the trial.
        fixup: T-Fixup scaling in place of its norms.
        link: from readout to expected counts per bin: softplus, exp or identity.
        observation_noise: Gaussian observations: one standard deviation per channel (diagonal) or in all (scalar).
        observation_sd: its start, in standard deviations of the data.
        noise: form of the covariance of the latent noise.
        noise_sd: its start.
        initial: form of the covariance of the initial state.
        initial_sd: its start.
        guide: optimal (Gaussian observations), encoder, control (a network of encoder and state), or bootstrap; auto =
            optimal where it applies, else encoder.
        control: hidden units of the control.
        control_layers: its hidden layers, of so many units each.
        control_activation: of its hidden units: tanh, relu, gelu or softplus.
        control_state: whether it sees the state.
        control_spread: whether it sets the noise's standard deviations; without, its divergence is Girsanov's.
        control_later: whether it acts after the first bin; without, data enter through the first state only.
        context: number of features that it has from the encoder.
        encoder: cnn or gru.
        kernels: widths of the CNN's convolutions, in bins.
        widths: its channels after each convolution but the last.
        padding: whether it sees earlier bins (causal), later ones (acausal), or both (centred).
        hidden: units of the GRU, per direction.
        direction: forward (causal), backward, or both.
        lagged: the GRU's output in a bin sees the bins before it only.
        hold: the GRU reads the last bin again and again where nothing is read any more.
        encoder_sd: standard deviation of the encoder's Gaussian at the start.
        keep: coordinated dropout: the share of values that the encoder is shown, the others being what it is scored
            on; 1 = none. With resampling the encoder's input alone is thinned out.
        pass_rate: share of the shown values that are scored as well.
        feature_dropout: share of the encoder's features that are set to 0 in training.
        particles: K.
        objective: vsmc, iwae or elbo.
        kl_weight: weight of the divergence in a fit by elbo; 1 is the bound.
        resampling: systematic, multinomial or none.
        threshold: resample when the effective sample size falls to this share of K (1 = at every bin).
        adapted: resample before moving (fully adapted; needs the optimal guide).
        estimator: of the guide's gradient under iwae: reparameterised, or doubly_reparameterised (less noise with many
            particles, for more time).
        fixed: parameters that keep their start, by dotted name, * as wildcard.
        priors: densities of parameters, as "dynamics.drift.omega ~ normal(6, 1)": the fit maximises the posterior.
    """

    name: ClassVar[str]
    recommended: ClassVar[Mapping[str, Any]] = MappingProxyType({})  # options of training that suit it
    generative: ClassVar[bool] = (
        True  # whether there is a joint distribution, and so a likelihood and simulations
    )
    dispensable: ClassVar[frozenset[str]] = (
        frozenset()
    )  # numbers of which 0 stands for none, beside those that are 0
    __no_type_check__ = True  # at run time: __post_init__ says what is wrong

    heads: tuple[str, ...] = ()
    observations: Literal["auto", "gaussian", "poisson", "negative_binomial"] = "auto"
    readout: Literal["affine", "mlp", "transformer", "currents", "rates"] = "affine"
    decoder: tuple[int, ...] = (128,)
    decoder_width: int = 0
    attention_heads: int = 2
    feedforward: int = 128
    positional: bool = False
    fixup: bool = False
    link: Literal["softplus", "exp", "identity"] = "softplus"
    observation_noise: Literal["scalar", "diagonal"] = "diagonal"
    observation_sd: float = 0.5
    noise: Form = "diagonal"
    noise_sd: float = 0.1
    initial: Form = "diagonal"
    initial_sd: float = 1.0
    guide: Literal["auto", "optimal", "encoder", "control", "bootstrap"] = "auto"
    control: int = 64
    control_layers: int = 1
    control_activation: Activation = "tanh"
    control_state: bool = True
    control_spread: bool = True
    control_later: bool = True
    context: int = 64
    encoder: Literal["cnn", "gru"] = "cnn"
    kernels: tuple[int, ...] = (21, 11, 1)
    widths: tuple[int, ...] = (64, 64)
    padding: Literal["causal", "acausal", "centred"] = "centred"
    hidden: int = 64
    direction: Literal["forward", "backward", "both"] = "both"
    lagged: bool = False
    hold: bool = False
    encoder_sd: float = 0.3
    keep: float = 1.0
    pass_rate: float = 0.0
    feature_dropout: float = 0.0
    particles: int = 16
    objective: Objective = "vsmc"
    kl_weight: float = 1.0
    resampling: Scheme = "systematic"
    threshold: float = 1.0
    adapted: bool = False
    estimator: Estimator = "reparameterised"
    fixed: tuple[str, ...] = ()
    priors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks words and numbers; lists become tuples."""
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(value))
        choices.check(self)
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            least = 0 if field.default == 0 or field.name in self.dispensable else 1
            if any(isinstance(x, int) and not isinstance(x, bool) and x < least for x in numbers):
                raise NeuritoError(f"{field.name}={value}: at least {least} is needed")
        self.dropout()
        self.prior()

    def _repr_html_(self) -> str:
        return describing.specification(self)

    @abc.abstractmethod
    def dynamics(self, layout: Layout, key: PRNGKeyArray) -> Dynamics:
        """The latent process, at its start."""

    def observed(self, layout: Layout) -> tuple[str, ...]:
        """The names of the heads that the model observes, the main one first."""
        for head in self.heads:
            if head not in layout.heads:
                raise NeuritoError(f"heads={head!r}: {nearest(head, layout.heads)}")
        return self.heads or (next(iter(layout.heads)),)

    def dropout(self) -> Dropout | None:
        """What the encoder does not see in training."""
        found = Dropout(self.keep, self.pass_rate, self.feature_dropout)
        return None if found == Dropout() else found

    @property
    def devices(self) -> int | None:
        """How many devices may share the trials; None = any number."""
        return None

    def inference(self) -> Inference:
        """How particles are used in training."""
        return Inference(
            particles=self.particles,
            objective=self.objective,
            resampling=self.resampling if self.objective == "vsmc" else "none",
            threshold=self.threshold,
            adapted=self.adapted,
            estimator=self.estimator,
        )

    def prior(self) -> tuple[Prior, ...]:
        """The densities of parameters that a fit adds to the bound."""
        return tuple(Prior.of(text) for text in self.priors)

    def build(self, layout: Layout, key: PRNGKeyArray) -> Model:
        """The model at its start, made by one program: its many small ones would take seconds to compile.

        Raises:
            NeuritoError: the options contradict each other or the recording.
        """
        runtime.start()
        built: Model = _program(self, json.dumps(layout.to_json()))(layout.mean, layout.sd, key)
        return built

    def skeleton(self, layout: Layout) -> Model:
        """Shapes in place of its arrays."""
        runtime.start()
        shapes: Model = eqx.filter_eval_shape(self.start, layout, jax.random.key(0))
        return shapes

    def start(self, layout: Layout, key: PRNGKeyArray) -> Model:
        """What `build` makes a program of."""
        keys = jax.random.split(key, 4)
        main, *others = self.observed(layout)
        dynamics = self.dynamics(layout, keys[0])
        heads = {main: self._observation(layout, main, self.observations, self.readout, dynamics, keys[1])}
        for i, name in enumerate(others):
            readout = "affine" if self.readout in ("currents", "rates") else self.readout
            own = jax.random.fold_in(keys[1], i)
            heads[name] = self._observation(layout, name, "auto", readout, dynamics, own)
        guide, features = self._guide(layout, list(heads.values()), dynamics, keys[3])
        encoder = self._encoder(layout, main, features, keys[2]) if guide.encoded else None
        if encoder is None and self.dropout() is not None:
            raise NeuritoError("keep, pass_rate and feature_dropout need a guide with an encoder: set keep=1")
        return Model(dynamics, heads, guide, encoder)

    def _kind(self, layout: Layout, head: str, wanted: str) -> str:
        kind = layout.heads[head].kind
        if wanted == "auto":
            return "poisson" if kind == "counts" else "gaussian"
        if wanted != "gaussian" and kind != "counts":
            raise NeuritoError(
                f"observations={wanted!r} needs counts, and {head!r} is {kind}: use 'gaussian', "
                "or load the data with kind='counts' if they are counts"
            )
        return wanted

    def _observation(
        self, layout: Layout, head: str, wanted: str, form: str, dynamics: Dynamics, key: PRNGKeyArray
    ) -> Observation:
        channels, sessions = layout.heads[head].channels, len(layout.sessions)
        kind = self._kind(layout, head, wanted)
        mean = jnp.asarray(layout.mean.get(head, np.ones((sessions, channels))))
        sd = jnp.asarray(layout.sd.get(head, np.ones((sessions, channels))))
        if self.link not in LINKS:
            raise NeuritoError(f"link={self.link!r}: {nearest(self.link, LINKS)}")
        eta = mean if kind == "gaussian" else inverse(self.link, jnp.maximum(mean, 1e-3))
        readout = self._readout(form, dynamics.visible_dim, channels, sessions, eta, key)
        if kind == "gaussian":
            if not self.observation_sd > 0:
                raise NeuritoError(f"observation_sd={self.observation_sd}: give a number above 0")
            start = self.observation_sd * jnp.where(sd > 0, sd, 1.0)
            diagonal = self.observation_noise == "diagonal"
            return Gaussian(
                readout,
                start if diagonal else start.mean(),
                (sessions, channels) if diagonal else (),
            )
        if kind == "poisson":
            return Poisson(readout, self.link, layout.bin_width, layout.regular)
        return NegativeBinomial(readout, self.link, layout.bin_width, layout.regular, channels)

    def _readout(
        self, form: str, visible: int, channels: int, sessions: int, eta: Array, key: PRNGKeyArray
    ) -> Readout:
        if form == "affine":
            return Affine(visible, channels, sessions, key=key, bias=eta)
        if form == "mlp":
            return Perceptron(visible, self.decoder, channels, sessions, key=key, bias=eta)
        if form == "transformer":
            return Transformer(
                visible,
                self.decoder_width,
                self.attention_heads,
                self.feedforward,
                channels,
                sessions,
                key=key,
                bias=eta,
                features=self.copied,
                positional=self.positional,
                fixup=self.fixup,
            )
        if sessions > 1:
            raise NeuritoError(
                f"readout={form!r} ties units to channels; {sessions} sessions need 'affine' or 'mlp'"
            )
        return Currents(channels) if form == "currents" else Rates(channels)

    @property
    def copied(self) -> int:
        """Number of the encoder's features that the decoder copies from; none in a generative model."""
        return 0

    def _guide(
        self, layout: Layout, heads: list[Observation], dynamics: Dynamics, key: PRNGKeyArray
    ) -> tuple[Guide, int]:
        """The guide, and how many features it wants of an encoder."""
        linear = any(isinstance(head, Gaussian) and not isinstance(head.readout, Rates) for head in heads)
        linear = linear and not dynamics.decoded and self.readout not in ("mlp", "transformer")
        choice = self.guide if self.guide != "auto" else "optimal" if linear else "encoder"
        if choice == "optimal" and not linear:
            raise NeuritoError(
                "guide='optimal' has a closed form only for Gaussian observations that are linear in the state: "
                "use guide='encoder', 'control' or 'bootstrap'"
            )
        if self.adapted and choice != "optimal":
            raise NeuritoError(f"adapted=True needs guide='optimal', found {choice!r}")
        if choice == "control":
            driven = jax.eval_shape(_seen, dynamics, *_one_bin(layout))
            guide = Control(
                self.context,
                dynamics,
                self.control,
                0 if driven is None else driven.shape[-1],
                key=key,
                state=self.control_state,
                spread=self.control_spread,
                later=self.control_later,
                layers=self.control_layers,
                activation=self.control_activation,
            )
            return guide, self.context
        guides: dict[str, Callable[[], Guide]] = {
            "optimal": Optimal,
            "encoder": Encoded,
            "bootstrap": Bootstrap,
        }
        return guides[choice](), 2 * dynamics.latent_dim

    def _encoder(self, layout: Layout, head: str, features: int, key: PRNGKeyArray) -> Encoder:
        channels, sessions = layout.heads[head].channels, len(layout.sessions)
        adapter = None
        if sessions > 1:
            width, key_a = self.widths[0], jax.random.fold_in(key, 1)
            adapter = Adapter(jax.random.normal(key_a, (sessions, channels, width)) * channels**-0.5)
            channels = width
        encoder: CNN | GRU
        spread = self.encoder_sd if self.guide != "control" else None
        if self.encoder == "cnn":
            encoder = CNN(
                channels, features, self.kernels, self.widths, self.padding, (head,), key=key, adapter=adapter
            )
            bias = encoder.biases[-1]
            last = (*encoder.biases[:-1], _with_log_variance(bias, spread))
            return _replace(encoder, biases=last)
        encoder = GRU(
            channels,
            features,
            self.hidden,
            self.direction,
            (head,),
            key=key,
            adapter=adapter,
            lagged=self.lagged,
            hold=self.hold,
        )
        return _replace(encoder, bias=_with_log_variance(encoder.bias, spread))


@lru_cache(64)
def _program(specification: Specification, layout: str) -> Callable[..., Model]:
    """(mean, sd, key) -> the model at its start, for recordings of such a layout."""
    known = Layout.from_json(json.loads(layout))

    def start(mean: Any, sd: Any, key: PRNGKeyArray) -> Model:
        return specification.start(replace(known, mean=mean, sd=sd), key)

    program: Callable[..., Model] = eqx.filter_jit(start)
    return program


def _seen(dynamics: Dynamics, inputs: Any, dt: Any) -> Array | None:
    """What a control sees of the inputs."""
    drive = dynamics.drive(inputs, dt)
    return None if drive is None else dynamics.seen(drive)


def _one_bin(layout: Layout) -> tuple[Any, Any]:
    """Shapes of the inputs and width of a single bin."""
    dt = jax.ShapeDtypeStruct((1, 1), jnp.result_type(float))
    return (jax.ShapeDtypeStruct((1, 1, len(layout.inputs)), dt.dtype) if layout.inputs else None), dt


def _with_log_variance(bias: Array, sd: float | None) -> Array:
    """The second half of the features of a Gaussian starts at log sd^2."""
    if sd is None:
        return bias
    half = bias.shape[0] // 2
    return bias.at[half:].add(2 * np.log(sd))


def _replace(encoder: Encoder, **fields: object) -> Encoder:
    names = list(fields)
    return eqx.tree_at(lambda e: [getattr(e, n) for n in names], encoder, [fields[n] for n in names])
