"""A latent stochastic differential equation with a drift that somebody else wrote."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import jax
from jaxtyping import PRNGKeyArray

from neurito.core import runtime
from neurito.core.drifts import Drift
from neurito.core.drifts.user import drift_of
from neurito.core.scan import Model
from neurito.errors import NeuritoError, nearest, warn
from neurito.models.latent_sde import LatentSDE, hybrid
from neurito.models.layout import Layout


@dataclass(frozen=True, kw_only=True)
class UserSDE(LatentSDE):
    """A latent SDE with a drift of one's own, a function or a class of (t, x, u).

    A saved run names the drift by module and name, and imports it again when it is loaded; what a plugin contained is
    kept as a hash, and a change is warned of.

    Attributes:
        drift: "module:Name", or in Python the function or class itself; "Name" alone where there is a plugin.
        latents: dimension of x.
        neural: hidden units of a learned term beside the drift; empty = none.
        plugin: a Python file in which the drift is defined; empty = an installed module, or the running program.
        plugin_sha256: of that file, written by itself.
    """

    name: ClassVar[str] = "user-sde"

    drift: str | Callable[..., Any] = ""
    latents: int = 2
    neural: tuple[int, ...] = ()
    plugin: str = ""
    plugin_sha256: str = ""

    def __post_init__(self) -> None:
        """Replaces the drift by its name, which must lead back to it."""
        super().__post_init__()
        if self.plugin:
            self._read_plugin()
        given = self.drift
        if not isinstance(given, str):
            self._set("drift", _name(given))
        elif given and ":" not in given:
            if not self.plugin:
                raise NeuritoError(f"drift={given!r}: write 'module:Name', or give its file as plugin")
            self._set("drift", f"{Path(self.plugin).stem}:{given}")
        if self.drift and _found(str(self.drift)) is not given and not isinstance(given, str):
            raise NeuritoError(
                f"drift={self.drift!r}: that name now belongs to something else; give the drift a name of its own"
            )

    def _read_plugin(self) -> None:
        path = Path(self.plugin).expanduser().resolve()
        if not path.is_file():
            raise NeuritoError(
                f"plugin={self.plugin!r}: no such file; give the Python file that defines the drift"
            )
        sha = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.plugin_sha256 and self.plugin_sha256 != sha:
            warn(
                f"{path}: has changed since the model was fitted; its drift may not be the one that was fitted",
                4,
            )
        _import_file(path)
        self._set("plugin", str(path))
        self._set("plugin_sha256", self.plugin_sha256 or sha)

    def _set(self, field: str, value: str) -> None:
        object.__setattr__(self, field, value)

    def build(self, layout: Layout, key: PRNGKeyArray) -> Model:
        """See the base class; no program, since somebody's drift is tried on numbers."""
        runtime.start()
        return self.start(layout, key)

    def skeleton(self, layout: Layout) -> Model:
        """See the base class."""
        runtime.start()
        return self.start(layout, jax.random.key(0))

    def equation(self, inputs: int, key: PRNGKeyArray) -> Drift:
        """The drift, and the learned term."""
        if not self.drift:
            raise NeuritoError(
                "drift is missing: give a function or class of (t, x, u), or its name 'module:Name'"
            )
        first, second = jax.random.split(key)
        known = drift_of(_found(str(self.drift)), str(self.drift), self.latents, inputs, first)
        return hybrid(known, self.neural, inputs, second)


def _name(drift: Callable[..., Any]) -> str:
    """The name of a function or class by which it can be found again."""
    module, name = getattr(drift, "__module__", None), getattr(drift, "__qualname__", None)
    if module is None or name is None:
        raise NeuritoError(
            f"drift of type {type(drift).__name__}: give the class or a function, not an object made from it, so that "
            "a saved run can name it"
        )
    if "<" in name:
        what = "a lambda" if "<lambda>" in name else "defined within a function"
        raise NeuritoError(
            f"drift {name!r} is {what}, and a saved run could not find it again: define it with def or class "
            "at the top level of a module or notebook"
        )
    return f"{module}:{name}"


def _found(name: str) -> Any:
    """What 'module:Name' stands for."""
    place, _, inner = name.partition(":")
    if not place or not inner:
        raise NeuritoError(f"drift={name!r}: write 'module:Name'")
    try:
        found: Any = sys.modules[place] if place in sys.modules else importlib.import_module(place)
    except ImportError as error:
        raise NeuritoError(
            f"drift={name!r}: module {place!r} could not be imported ({error}): give its file as plugin, or "
            "add its folder to PYTHONPATH"
        ) from error
    for part in inner.split("."):
        if not hasattr(found, part):
            known = [n for n in vars(found) if not n.startswith("_")]
            hint = "define it before the run is loaded" if place == "__main__" else nearest(part, known)
            raise NeuritoError(f"drift={name!r}: {place} has no {part!r}; {hint}")
        found = getattr(found, part)
    return found


def _import_file(path: Path) -> ModuleType:
    """Imports a file as a module of its stem's name; anew if it has changed."""
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "/").resolve() != path:
        raise NeuritoError(
            f"plugin={str(path)!r}: there is another module {path.stem!r} already; rename the file"
        )
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    if known is not None and getattr(known, "__sha256__", sha) == sha:
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise NeuritoError(f"plugin={str(path)!r}: is not a Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    module.__sha256__ = sha  # type: ignore[attr-defined]
    sys.modules[path.stem] = module  # before it runs: what it defines looks itself up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise NeuritoError(
            f"plugin={str(path)!r}: fails when imported: {type(error).__name__}: {error}"
        ) from error
    return module
