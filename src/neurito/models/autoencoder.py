"""What latent stochastic differential equations share: they are fitted as sequential variational autoencoders."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from neurito.core.resampling import Scheme
from neurito.core.scan import Objective
from neurito.models.specification import Specification


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Specification):
    """Defaults: one sample, the ELBO, a control read from a bidirectional GRU and the state, coordinated dropout.

    The other ways to fit (particles with the encoder's guide, IWAE) are a matter of options, as for every model.

    Attributes:
        time_constant: the unit of time of the dynamics, seconds; 0 = two bins.
        substeps: steps of the dynamics per bin.
    """

    recommended: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "epochs": 100,
            "batch_size": 16,
            "learning_rate": 3e-3,
            "final_learning_rate": 3e-5,
            "schedule": "cosine",
            "optimiser": "adamw",
            "weight_decay": 1e-2,
            "clip": 1.0,
            "kl_warmup": 0.3,
        }
    )

    readout: Literal["affine", "mlp", "transformer", "currents", "rates"] = "mlp"
    guide: Literal["auto", "optimal", "encoder", "control", "bootstrap"] = "control"
    encoder: Literal["cnn", "gru"] = "gru"
    control: int = 128
    context: int = 128
    keep: float = 0.7
    particles: int = 1
    objective: Objective = "elbo"
    resampling: Scheme = "none"
    time_constant: float = 0.0
    substeps: int = 1

    def unit_of_time(self, bin_width: float) -> float:
        """Seconds."""
        return self.time_constant or 2 * bin_width
