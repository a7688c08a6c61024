"""Fit stochastic dynamical systems to neural recordings."""

__version__ = "0.1.0"
