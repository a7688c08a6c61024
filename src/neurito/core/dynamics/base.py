"""What a latent process is: an affine function of white noise, step by step."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from neurito.core.operators import Scale


class Step(eqx.Module):
    """What a transition knows besides the state; every field broadcasts against (trial, particle, ...).

    Attributes:
        t: time at the step's start since the trial's start, seconds, (trial, 1).
        dt: its length, seconds, (trial, 1).
        u: inputs of the bin it leaves, after `Dynamics.drive`, (trial, 1, input), or None.
    """

    t: Float[Array, "..."]
    dt: Float[Array, "..."]
    u: Float[Array, "... input"] | None


class Dynamics(eqx.Module):
    """z_1 = init(eps_1), z_t = mean(z_{t-1}) + scale(z_{t-1}) eps_t, with eps ~ N(0, I).

    A new model is a subclass with `init` and `affine`; where the move is not affine in the noise, `move` too.

    Class attributes:
        substeps: how many such moves make a bin; each has its own noise and 1 / substeps of the bin's width.
        affine_move: whether the move is affine in the noise, which Gaussian guides need.
        decoded: whether decoders see something else than z, given by `visible`.
    """

    substeps = 1
    affine_move = True
    decoded = False

    latent_dim: eqx.AbstractVar[int]
    noise_dim: eqx.AbstractVar[int]
    init_noise_dim: eqx.AbstractVar[int]

    @abc.abstractmethod
    def init(self, step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """Mean and scale of the first state, given the first bin's inputs."""

    @abc.abstractmethod
    def affine(self, z: Float[Array, "... latent"], step: Step) -> tuple[Float[Array, "... latent"], Scale]:
        """Mean and scale of the next state."""

    def scale(self, step: Step) -> Scale | None:
        """The scale where it does not depend on the state (guides then factorise once), otherwise None."""
        return None

    def move(
        self,
        z: Float[Array, "... latent"],
        mean: Float[Array, "... latent"],
        scale: Scale,
        step: Step,
        eps: Float[Array, "... noise"],
    ) -> Float[Array, "... latent"]:
        """The next state: mean + scale @ eps."""
        return mean + scale @ eps

    def drive(
        self, inputs: Float[Array, "trial time input"] | None, dt: Float[Array, "trial time"]
    ) -> Float[Array, "trial time drive"] | None:
        """What the steps see of the inputs, computed once before the scan (here: the inputs themselves)."""
        return inputs

    def seen(self, drive: Float[Array, "trial time drive"]) -> Float[Array, "trial time seen"]:
        """What a control sees of the drive (here: all of it)."""
        return drive

    def visible(self, z: Float[Array, "... latent"], step: Step) -> Float[Array, "... visible"]:
        """What decoders see of a state in the bin `step` (here: the state itself)."""
        return z

    @property
    def visible_dim(self) -> int:
        """Dimension of what decoders see."""
        return self.latent_dim
