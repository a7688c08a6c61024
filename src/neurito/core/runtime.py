"""The machine: devices, memory, and the compilation cache."""

import ctypes
import os
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from neurito.errors import NeuritoError, NeuritoWarning


@cache
def start() -> None:
    """One XLA device per CPU core, and a cache of compiled programs on disk; called before the first computation.

    XLA runs one program per device, so batches sharded over such devices use all cores. Where JAX has already
    started, what exists is used. JAX's own settings (JAX_NUM_CPU_DEVICES, JAX_COMPILATION_CACHE_DIR) come first.
    """
    settings: Any = jax.config  # its attributes are made at run time
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores > 1 and settings.jax_num_cpu_devices < 1:
        try:
            jax.config.update("jax_num_cpu_devices", cores)
        except RuntimeError:
            warnings.warn(
                f"JAX was started before neurito: {jax.device_count()} device(s) in use, not {cores}; "
                "import neurito and call neurito.start() first to use all cores",
                NeuritoWarning,
                stacklevel=3,
            )
    if settings.jax_compilation_cache_dir is None:
        folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "neurito" / "xla"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # a read-only home only costs compile time
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def trim() -> None:
    """Gives back to the system what was freed: hundreds of megabytes after a compilation, or at a fit's end."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def mesh(devices: int | None = None, platform: str | None = None) -> Mesh:
    """A one-dimensional mesh over the trial axis.

    Args:
        devices: how many; None = all.
        platform: cpu or gpu; None = what JAX prefers.

    Raises:
        NeuritoError: the platform, or so many devices, are not there.
    """
    start()
    try:
        found = jax.devices(platform)
    except RuntimeError as error:
        raise NeuritoError(
            f"device={platform!r} was asked for and is not there: use device='cpu', or install JAX for your accelerator"
        ) from error
    if devices is not None and not 1 <= devices <= len(found):
        raise NeuritoError(f"devices={devices}: {len(found)} are there")
    return Mesh(np.asarray(found[:devices]), ("trial",))


def over_trials(function: Any, mesh: Mesh, in_specs: Any, out_specs: Any) -> Any:
    """A function applied to every device's share of the trials.

    With one device it is the function itself: diffrax cannot be compiled within a part of a larger program.
    """
    if mesh.size == 1:
        return function
    return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)


def device_number(mesh: Mesh) -> Array | int:
    """Which device a function over trials runs on."""
    return 0 if mesh.size == 1 else jax.lax.axis_index("trial")


def summed(x: Array, mesh: Mesh) -> Array:
    """The sum over devices, in a function over trials."""
    return x if mesh.size == 1 else jax.lax.psum(x, "trial")
