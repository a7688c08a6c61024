"""Encoders: features of a whole recording, for guides that look ahead."""

from neurito.core.encoders.base import Adapter, Encoder
from neurito.core.encoders.cnn import CNN
from neurito.core.encoders.gru import GRU

__all__ = ["CNN", "GRU", "Adapter", "Encoder"]
