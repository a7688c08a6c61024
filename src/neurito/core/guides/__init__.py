"""Guides: how the noise is chosen in the light of the data."""

from neurito.core.guides.base import Guide, Kick, Prepared
from neurito.core.guides.bootstrap import Bootstrap
from neurito.core.guides.control import Control, Regularised
from neurito.core.guides.gaussian import Encoded, Optimal

__all__ = ["Bootstrap", "Control", "Encoded", "Guide", "Kick", "Optimal", "Prepared", "Regularised"]
