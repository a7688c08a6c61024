"""The guide that does not look: the transition itself."""

from jaxtyping import Array, Float

from neurito.core.batch import Batch
from neurito.core.dynamics.base import Dynamics, Step
from neurito.core.factors import Factor
from neurito.core.guides.base import Guide, Kick, Prepared


class Bootstrap(Guide):
    """eps ~ N(0, I): particles move by the prior and are weighted by the likelihood. It also generates."""

    def prepare(
        self,
        dynamics: Dynamics,
        factor: Factor | None,
        features: Float[Array, "trial time feature"] | None,
        batch: Batch,
        steps: Step,
    ) -> Prepared:
        """Nothing to prepare."""
        return Prepared(lambda mean, scale: Kick(), None, lambda context, step, z, mean, scale: Kick())
