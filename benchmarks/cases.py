"""The fits that are timed, by their sizes: one place, read by both sides of the comparison."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One gradient step of a low-rank RNN fitted by variational sequential Monte Carlo, by its sizes.

    Attributes:
        name: What the case is called on the command line.
        title: What it stands for.
        batch: Trials in a step.
        bins: Bins in a trial.
        particles: Particles in the filter, resampled at every bin.
        rank: Latent dimensions R.
        units: Units N of the network.
        read: Channels that the proposal sees.
        scored: Channels that the likelihood covers.
        kernels: Widths of the encoder's convolutions, in bins; none: the optimal proposal.
        channels: Their outputs, without those of the two heads (mean and log variance).
    """

    name: str
    title: str
    batch: int
    bins: int
    particles: int
    rank: int
    units: int
    read: int
    scored: int
    kernels: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()

    @property
    def flops(self) -> float:
        """Floating-point operations of the matrix products that one step cannot do without.

        A product of (rows, a) by (a, b) is 2 rows a b forward and twice that backward, once for each factor.
        Counted are the transition (z to units and back; a row per particle and bin but the first), readout
        (Poisson: a row per particle and bin; Gaussian with the optimal proposal: the data enter through R
        numbers per bin) and the encoder (no gradient with respect to the data). Not counted: recomputation in
        the backward pass, elementwise work, factorisations of R x R, the optimiser. A share of the machine's
        peak found with it is therefore a lower bound.
        """
        bins = self.batch * self.bins
        moves = self.batch * (self.bins - 1) * self.particles
        total = 3 * moves * 2 * self.rank * self.units
        if not self.kernels:
            return 2.0 * (total + 3 * bins * self.rank * self.read)
        total += 3 * bins * self.particles * self.rank * self.scored
        widths = (self.read, *self.channels, 2 * self.rank)
        for layer, kernel in enumerate(self.kernels):
            total += (3 if layer else 2) * bins * kernel * widths[layer] * widths[layer + 1]
        return 2.0 * total


CASES = {
    case.name: case
    for case in (
        Case(
            name="eeg",
            title="EEG: Gaussian, optimal proposal, clipped units",
            batch=10,
            bins=50,
            particles=10,
            rank=3,
            units=512,
            read=64,
            scored=64,
        ),
        Case(
            name="poisson",
            title="oscillator: Poisson, one unit per neuron, encoder",
            batch=10,
            bins=200,
            particles=64,
            rank=2,
            units=40,
            read=40,
            scored=40,
            kernels=(21, 11, 1),
            channels=(64, 64),
        ),
        Case(
            name="maze",
            title="MC_Maze in size: Poisson, affine, encoder, clipped units",
            batch=16,
            bins=35,
            particles=64,
            rank=32,
            units=512,
            read=137,
            scored=182,
            kernels=(14, 4, 2),
            channels=(128, 64),
        ),
    )
}
