"""A model's trainable parameters as one vector."""

import math
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from neurito.core.parameters import covers, name, trainable


@dataclass(frozen=True)
class Packing:
    """How the vector is cut; hashable, so that it can be a static argument of a compiled function.

    Attributes:
        structure: the model's tree.
        shapes: per array leaf its shape, None for what is not an array.
        free: per leaf, whether it is in the vector.
    """

    structure: Any
    shapes: tuple[tuple[int, ...] | None, ...]
    free: tuple[bool, ...]

    @classmethod
    def of(cls, model: PyTree, fixed: tuple[str, ...] = ()) -> "Packing":
        """The packing of a model, with `fixed` parameters left out of the vector."""
        leaves, structure = jax.tree.flatten(model)
        free = jax.tree.leaves(trainable(model, fixed))
        return cls(structure, tuple(x.shape if eqx.is_array(x) else None for x in leaves), tuple(free))

    def pack(self, model: PyTree) -> tuple[Float[Array, " parameter"], list[Array]]:
        """The vector, and the leaves that stay out of it."""
        leaves = jax.tree.leaves(model)
        inside = [
            np.ravel(x) for x, free in zip(leaves, self.free, strict=True) if free
        ]  # nothing to compile
        vector = jnp.asarray(np.concatenate(inside)) if inside else jnp.zeros(0)
        return vector, [x for x, free in zip(leaves, self.free, strict=True) if not free]

    def unpack(self, vector: Float[Array, " parameter"], rest: list[Array]) -> PyTree:
        """The model again."""
        return self.model(self.cut(vector), rest)

    def cut(self, vector: Shaped[Array, " parameter"]) -> list[Array]:
        """The vector's parts, each in its own shape."""
        shapes = [shape or () for shape, free in zip(self.shapes, self.free, strict=True) if free]
        # The gradient of a split is one concatenation; that of slices adds up whole vectors.
        parts = jax.lax.split(vector, [math.prod(shape) for shape in shapes]) if shapes else ()
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def model(self, parts: list[Array], rest: list[Array]) -> PyTree:
        """The model of such parts, and of the leaves that are not among them."""
        inside, others = iter(parts), iter(rest)
        leaves = [next(inside if free else others) for free in self.free]
        return jax.tree.unflatten(self.structure, leaves)

    def within(self, *names: str) -> Bool[np.ndarray, " parameter"]:
        """Which of the vector's entries belong to the parts of the model that are named."""
        places = [path for path, _ in jax.tree_util.tree_leaves_with_path(self._numbered())]
        inside = [
            np.full(math.prod(shape), any(covers(pattern, name(path)) for pattern in names))
            for path, shape, free in zip(places, self.shapes, self.free, strict=True)
            if free and shape is not None
        ]
        return np.concatenate(inside) if inside else np.zeros(0, bool)

    def _numbered(self) -> PyTree:
        return jax.tree.unflatten(self.structure, range(len(self.shapes)))
