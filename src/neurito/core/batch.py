"""What the core sees of a recording: arrays on the device, with what is read and what is weighed."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Covered = Literal["read", "train"]


class Mask(eqx.Module):
    """Which channels count in each bin, as the few distinct patterns that occur.

    Everything that costs a factorisation is computed once per pattern. A pattern also fixes the session.
    """

    pattern: Int[Array, "trial time"]
    table: Float[Array, "pattern channel"]
    session: Int[Array, " pattern"]

    def dense(self) -> Float[Array, "trial time channel"]:
        """One number, 0 or 1, per entry."""
        return self.table[self.pattern]

    def only(self, y: Float[Array, "trial time channel"]) -> Float[Array, "trial time channel"]:
        """Values, with 0 for those that do not count: times a weight of 0, a huge one would still spoil a sum."""
        return jnp.where((self.table[0] if len(self.table) == 1 else self.dense()) > 0, y, 0)


class Signal(eqx.Module):
    """One head of the recording: its values (0 where missing) and its two masks.

    Attributes:
        y: values.
        read: what is read.
        train: read or scored, what a training likelihood covers; None where that is the same.
        shown: what an encoder sees in place of y, where its input is dropped out; None elsewhere.
        emphasis: a factor on the log-likelihood of every entry (coordinated dropout); None elsewhere.
    """

    y: Float[Array, "trial time channel"]
    read: Mask
    train: Mask | None
    shown: Float[Array, "trial time channel"] | None = None
    emphasis: Float[Array, "trial time channel"] | None = None

    def mask(self, covered: Covered) -> Mask:
        """The mask of the entries that weigh the particles."""
        return self.read if covered == "read" or self.train is None else self.train


class Batch(eqx.Module):
    """Trials of one padded shape.

    `exists` is False after a trial's end, `informed` is False after the last bin in which anything is read;
    either is None where it would be True everywhere. `ids` feed the random keys, so that a trial's noise does not
    depend on its place; `weight` is 0 for the padding of an incomplete batch.
    """

    signals: dict[str, Signal]
    dt: Float[Array, "trial time"]
    inputs: Float[Array, "trial time input"] | None
    exists: Bool[Array, "trial time"] | None
    informed: Bool[Array, "trial time"] | None
    session: Int[Array, " trial"]
    ids: Int[Array, " trial"]
    weight: Float[Array, " trial"]

    @property
    def n_trials(self) -> int:
        """Number of trials, padding included."""
        return self.dt.shape[0]

    @property
    def n_bins(self) -> int:
        """Number of bins, padding included."""
        return self.dt.shape[1]

    def take(
        self, trial: Int[Array, " batch"], first: Int[Array, " batch"], ids: Int[Array, " batch"], bins: int
    ) -> "Batch":
        """The windows [first, first + bins) of the given trials; whole trials are windows too."""

        def rows(x: Array) -> Array:
            if bins == self.n_bins:
                return x[trial]
            return jax.vmap(lambda i, f: jax.lax.dynamic_slice_in_dim(x[i], f, bins))(trial, first)

        def masked(mask: Mask) -> Mask:
            pattern = rows(mask.pattern)
            if len(mask.table) <= pattern.size:
                return Mask(pattern, mask.table, mask.session)
            # More patterns than bins (values missing at random): keep those of these bins only.
            own = pattern.ravel()
            every = jnp.arange(own.size, dtype=own.dtype).reshape(pattern.shape)
            return Mask(every, mask.table[own], mask.session[own])

        def signal(s: Signal) -> Signal:
            dropped = (None if x is None else rows(x) for x in (s.shown, s.emphasis))
            return Signal(rows(s.y), masked(s.read), None if s.train is None else masked(s.train), *dropped)

        return Batch(
            {name: signal(s) for name, s in self.signals.items()},
            rows(self.dt),
            None if self.inputs is None else rows(self.inputs),
            None if self.exists is None else rows(self.exists),
            None if self.informed is None else rows(self.informed),
            self.session[trial],
            ids,
            self.weight[trial],
        )

    def some(self, trial: Int[Array, " some"]) -> "Batch":
        """Some of its trials, whole, each with its id."""
        return self.take(trial, jnp.zeros_like(trial), self.ids[trial], self.n_bins)

    def lengths(self) -> Int[Array, " trial"]:
        """Bins that exist in each trial."""
        if self.exists is None:
            return jnp.full(self.n_trials, self.n_bins)
        return self.exists.sum(1)
