"""One run as one page: figures to look through, the model in equations, scores with their meaning, what to doubt."""

from neurito.report.content import page

__all__ = ["page"]
