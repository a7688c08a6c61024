"""Fixed points as a result: table, Dataset, files."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from neurito.analysis.network import Network
from neurito.analysis.search import Findings
from neurito.analysis.stability import Manifolds, kind_of, manifolds_of, stability_of
from neurito.errors import NeuritoError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Method = Literal["certified", "numerical"]


@dataclass(frozen=True, eq=False)
class Continuum:
    """A piece of a line, sheet, ... of fixed points: the part of it in one affine region of the map.

    Attributes:
        points: (point, R) support points: the ends of a segment, extreme points of a larger piece.
        directions: (dimension, R) orthonormal directions along it.
        rays: (ray, R) directions along which it runs off to infinity.
    """

    points: Float[np.ndarray, "point latent"]
    directions: Float[np.ndarray, "dimension latent"]
    rays: Float[np.ndarray, "ray latent"]


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Fixed points of one noise-free map, F(z) = z.

    Attributes:
        method: "certified" (branch and bound) or "numerical" (descents from many starts: not exhaustive).
        complete: a proof that every isolated fixed point is in `points`, every other in `continua`.
        points: (point, R) latent coordinates, sorted.
        jacobians: (point, R, R) dF/dz; on a kink that of one adjacent piece.
        eigenvalues: (point, R) of `jacobians`.
        residual: (point,) |F(z) - z|, largest component.
        on_boundary: (point,) whether a kink passes through the point.
        adjacent: per point on a boundary, (piece, R, R) the Jacobians of all pieces that meet there.
        truncated: (point,) whether `adjacent` was cut short.
        index: (point,) sign det(I - J); on a boundary the sum over the neighbourhood; None where unknown.
        certificate: per point: affine, pattern, Krawczyk, star, or none.
        hits: (point,) descents that ended here, where numerical.
        slow: (point, R) minima of the speed that are no fixed points, where numerical.
        continua, infinity: what is no isolated point; (direction, R) along which fixed points run off to infinity.
        unresolved: (box, 2, R) boxes that could not be decided.
        index_expected: what the indices of all fixed points must add up to (1 for bounded networks), or None.
        boxes, solves, seconds: the work done.
        notes: in words, what the reader should know.
        search: raw findings, with which an unfinished search goes on.
        fingerprint: of the network of an unfinished search, so that it goes on with its own.
    """

    method: Method
    complete: bool
    points: Float[np.ndarray, "point latent"]
    jacobians: Float[np.ndarray, "point latent latent"]
    residual: Float[np.ndarray, " point"]
    on_boundary: Bool[np.ndarray, " point"]
    adjacent: dict[int, Float[np.ndarray, "_piece latent latent"]] = field(default_factory=dict)
    truncated: tuple[int, ...] = ()
    index: tuple[int | None, ...] = ()
    certificate: tuple[str, ...] = ()
    hits: Int[np.ndarray, " point"] | None = None
    slow: Float[np.ndarray, "slow latent"] | None = None
    continua: tuple[Continuum, ...] = ()
    infinity: Float[np.ndarray, "direction latent"] | None = None
    unresolved: Float[np.ndarray, "box 2 latent"] | None = None
    index_expected: int | None = None
    boxes: int = 0
    solves: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    search: tuple[Findings, ...] = ()
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.points)

    @property
    def eigenvalues(self) -> Complex[np.ndarray, "point latent"]:
        """Eigenvalues of the Jacobians, largest modulus first."""
        if not len(self.points):
            return np.empty(self.points.shape, complex)
        values = np.linalg.eigvals(self.jacobians).astype(complex)
        return np.take_along_axis(values, np.argsort(-np.abs(values), axis=1, kind="stable"), 1)

    @property
    def kind(self) -> list[str]:
        """Per point: stable node, stable focus, saddle, ..., or boundary where adjacent pieces disagree."""
        kinds = [kind_of(values) for values in self.eigenvalues]
        for k, pieces in self.adjacent.items():
            sides = {kind_of(values) for values in np.linalg.eigvals(pieces)}
            kinds[k] = f"{sides.pop()} (on a boundary)" if len(sides) == 1 else "boundary"
        return kinds

    @property
    def stability(self) -> list[str]:
        """Per point: stable, saddle, unstable, marginal, or boundary where adjacent pieces disagree."""
        names = [stability_of(values) for values in self.eigenvalues]
        for k, pieces in self.adjacent.items():
            sides = {stability_of(values) for values in np.linalg.eigvals(pieces)}
            names[k] = sides.pop() if len(sides) == 1 else "boundary"
        return names

    @property
    def index_sum(self) -> int | None:
        """Sum of the indices; None where one is unknown or there are continua."""
        if any(i is None for i in self.index) or self.continua:
            return None
        return int(sum(i for i in self.index if i is not None))

    @property
    def open(self) -> int:
        """Boxes not yet looked at: more than none means that the search was stopped and can be resumed."""
        return sum(len(f.open) for f in self.search)

    def manifolds(self, point: int) -> Manifolds:
        """Stable and unstable directions at one point."""
        return manifolds_of(self.jacobians[point])

    def in_basis(self, T: Float[np.ndarray, "latent latent"]) -> "FixedPoints":
        """The same in coordinates z' = T z.

        Args:
            T: invertible (R, R); `orthonormal_basis(network)` gives the one in which latents are orthonormal
                coordinates of the units' currents.
        """
        back = np.linalg.inv(T)
        boxes = self.unresolved
        if boxes is not None and len(boxes):
            centre, half = boxes.mean(1) @ T.T, 0.5 * np.ptp(boxes, 1) @ np.abs(T.T)
            boxes = np.stack([centre - half, centre + half], 1)
        infinity = self.infinity
        if infinity is not None and len(infinity):
            infinity = infinity @ T.T
            infinity = infinity / np.linalg.norm(infinity, axis=1, keepdims=True)
        return replace(
            self,
            points=self.points @ T.T,
            jacobians=T @ self.jacobians @ back,
            adjacent={k: T @ pieces @ back for k, pieces in self.adjacent.items()},
            slow=None if self.slow is None else self.slow @ T.T,
            continua=tuple(
                Continuum(c.points @ T.T, np.linalg.qr(T @ c.directions.T)[0].T, c.rays @ T.T)
                for c in self.continua
            ),
            infinity=infinity,
            unresolved=boxes,  # the search stays in its own coordinates
        )

    def table(self) -> "pd.DataFrame":
        """One row per point: coordinates, kind, largest eigenvalue, index, residual, certificate."""
        import pandas as pd

        leading = self.eigenvalues[:, :1]
        columns: dict[str, Any] = {f"z{j + 1}": self.points[:, j] for j in range(self.points.shape[1])}
        columns |= {
            "kind": self.kind,
            "spectral_radius": np.abs(leading).max(1, initial=0.0),
            "eigenvalues": [" ".join(f"{v:.6g}" for v in row) for row in self.eigenvalues],
            "index": list(self.index),
            "on_boundary": self.on_boundary,
            "residual": self.residual,
            "certificate": list(self.certificate),
        }
        if self.hits is not None:
            columns["hits"] = self.hits
        return pd.DataFrame(columns)

    def dataset(self) -> "xr.Dataset":
        """Named dimensions (point, latent, mode); attributes say how the points were found and what is proved."""
        import xarray as xr

        values = self.eigenvalues
        latent = [f"z{j + 1}" for j in range(self.points.shape[1])]
        return xr.Dataset(
            {
                "z": (("point", "latent"), self.points, {"long_name": "fixed point", "units": "latent"}),
                "eigenvalue_real": (
                    ("point", "mode"),
                    values.real,
                    {"long_name": "real part, per time step"},
                ),
                "eigenvalue_imag": (
                    ("point", "mode"),
                    values.imag,
                    {"long_name": "imaginary part, per time step"},
                ),
                "jacobian": (("point", "latent", "latent_in"), self.jacobians),
                "kind": ("point", np.array(self.kind, dtype=str)),
                "index": ("point", np.array([np.nan if i is None else i for i in self.index], float)),
                "on_boundary": ("point", self.on_boundary),
                "residual": ("point", self.residual, {"long_name": "largest component of |F(z) - z|"}),
                "certificate": ("point", np.array(self.certificate, dtype=str)),
            },
            coords={"latent": latent, "latent_in": latent},
            attrs={
                "method": self.method,
                "complete": int(self.complete),
                "index_sum": np.nan if self.index_sum is None else self.index_sum,
                "continua": len(self.continua),
                "directions_at_infinity": 0 if self.infinity is None else len(self.infinity),
                "unresolved_boxes": 0 if self.unresolved is None else len(self.unresolved),
                "open_boxes": self.open,
                "notes": "; ".join(self.notes),
            },
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `.json` (everything, the state of an unfinished search as well) or `.csv` (the table).

        Raises:
            NeuritoError: another ending, or a folder that cannot be written.
        """
        from neurito.data.files import atomic_write

        path = Path(path)
        if path.suffix not in (".json", ".csv"):
            raise NeuritoError(
                f"{path}: fixed points are saved as .json or .csv; choose one of these endings"
            )
        with atomic_write(path) as temporary:
            if path.suffix == ".csv":
                self.table().to_csv(temporary, index=False)
            else:
                temporary.write_text(json.dumps(_plain(asdict(self)), allow_nan=True) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FixedPoints":
        """Reads a `.json` written by `save`.

        Raises:
            NeuritoError: a missing file or one that is not such a file.
        """
        try:
            content = json.loads(Path(path).read_text())
            return _built(content)
        except OSError as error:
            raise NeuritoError(f"{path}: {error.strerror}; give the .json file that `save` wrote") from error
        except (KeyError, TypeError, ValueError) as error:
            raise NeuritoError(f"{path}: not a file of fixed points written by neurito ({error})") from error

    def __str__(self) -> str:
        """A summary in a few lines."""
        counts: dict[str, int] = {}
        for name in self.stability:
            counts[name] = counts.get(name, 0) + 1
        found = ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"
        head = f"{len(self)} fixed point{'' if len(self) == 1 else 's'} ({found})"
        if self.method == "numerical":
            head += f"; numerical search, not exhaustive; {0 if self.slow is None else len(self.slow)} slow points"
        else:
            head += "; all of them (certified)" if self.complete else "; the list may not be complete"
            head += f"; index sum {self.index_sum}"
        lines = [head]
        if self.continua:
            lines.append(f"{len(self.continua)} pieces of continua of fixed points")
        if self.infinity is not None and len(self.infinity):
            lines.append(f"{len(self.infinity)} directions along which fixed points run off to infinity")
        if self.unresolved is not None and len(self.unresolved):
            lines.append(f"{len(self.unresolved)} boxes could not be decided")
        lines.extend(self.notes)
        return "\n".join(lines)


def fingerprint(network: Network) -> str:
    """A digest of a network's numbers."""
    digest = hashlib.sha256(network.activation.encode())
    for name in ("leak", "m", "n", "h", "constant", "drive"):
        digest.update(np.ascontiguousarray(getattr(network, name)).tobytes())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Lists and dictionaries in place of arrays (with their shapes, so that empty ones come back)."""
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "dtype": str(value.dtype), "values": value.ravel().tolist()}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _array(value: Any) -> Any:
    """The inverse of `_plain`, for arrays."""
    if isinstance(value, dict) and set(value) == {"shape", "dtype", "values"}:
        return np.array(value["values"], dtype=value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {k: _array(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_array(v) for v in value]
    return value


def _built(content: dict[str, Any]) -> FixedPoints:
    fields = _array(content)

    def tuples(name: str) -> tuple[Any, ...]:
        value: Sequence[Any] = fields[name]
        return tuple(value)

    fields["adjacent"] = {int(k): v for k, v in fields["adjacent"].items()}
    fields["continua"] = tuple(Continuum(**c) for c in fields["continua"])
    fields["search"] = tuple(
        Findings(**{k: v for k, v in f.items() if not k.startswith("_")}) for f in fields["search"]
    )
    for name in ("truncated", "index", "certificate", "notes"):
        fields[name] = tuples(name)
    return FixedPoints(**fields)
