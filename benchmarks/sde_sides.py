"""Worker that times one way to fit the same latent SDE, on request (the protocol is that of `langevin_sides.py`).

    python sde_sides.py torchsde|diffrax|bare|neurito

Everywhere a prior drift f(x), a posterior drift that also sees a context c_t from GRU units that run backwards, noise
g(x), Gaussian observations linear in x, Adam, the ELBO with the drifts' gap over g by Girsanov; one Euler step per bin,
one sample per trial. `example` has the networks of torchsde's Lorenz example: two hidden layers of 128 softplus units
in either drift, a network of 128 softplus units and a sigmoid for the g of every latent. `wide` has one hidden layer of
tanh, constant g, and 16 latents.

torchsde has the posterior drift as its example does, a network of (x, c_t), and solves with `sdeint(logqp=True)`; the
others have the same network as the gap over g, which costs the same. diffrax solves with its Brownian tree, and `bare`
is a scan over time written for these sizes alone, its batch shared between one device per core.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sides import Timer, serve


@dataclass(frozen=True)
class Case:
    """Sizes of one gradient step."""

    name: str
    batch: int
    latents: int
    layers: int
    activation: str
    networks: bool  # whether every latent has a network for its g
    bins: int = 100
    hidden: int = 128
    context: int = 64
    channels: int = 3
    h: float = 0.02

    @property
    def flops(self) -> float:
        """Of the matrix products: three times those of the forward pass."""
        D, H, C = self.latents, self.hidden, self.context
        drifts = 4 * D * H + C * H + 2 * (self.layers - 1) * H * H
        g = 2 * D * H if self.networks else 0
        per_bin = drifts + g + 3 * H * (H + self.channels) + H * C + D * self.channels
        return 6.0 * self.batch * self.bins * per_bin

    def data(self) -> np.ndarray:
        """Anything: what a step costs does not depend on it."""
        return np.random.default_rng(0).normal(size=(self.batch, self.bins, self.channels)).astype(np.float32)


CASES = {
    case.name: case
    for case in (
        Case("example-128", 128, 4, 2, "softplus", True),
        Case("example-1024", 1024, 4, 2, "softplus", True),
        Case("wide-64", 64, 16, 1, "tanh", False),
    )
}


def _timed(step: Callable[[], Any]) -> Timer:
    def timer(steps: int) -> tuple[float, float]:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        return time.perf_counter() - start, time.process_time() - cpu

    timer(1)
    return timer


def torchsde(case: Case) -> Timer:
    """Torchsde's Euler-Maruyama with logqp, and Adam."""
    # Threads that wait actively stand still for seconds per step as soon as any other program runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch
    import torchsde as library
    from torch import nn

    torch.set_num_threads(int(os.environ.get("NEURITO_THREADS", os.cpu_count() or 1)))
    torch.manual_seed(0)
    D, H, h = case.latents, case.hidden, case.h
    unit = {"softplus": nn.Softplus, "tanh": nn.Tanh}[case.activation]

    def network(inputs: int, layers: int, outputs: int) -> nn.Sequential:
        hidden = [part for _ in range(layers - 1) for part in (nn.Linear(H, H), unit())]
        return nn.Sequential(nn.Linear(inputs, H), unit(), *hidden, nn.Linear(H, outputs))

    class Latent(nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.GRU(case.channels, H, batch_first=True)
            self.context = nn.Linear(H, case.context)
            self.first = nn.Linear(case.context, 2 * D)
            self.prior = network(D, case.layers, D)
            self.posterior = network(D + case.context, case.layers, D)
            self.noise = nn.ModuleList(
                [nn.Sequential(network(1, 1, 1), nn.Sigmoid()) for _ in range(D * case.networks)]
            )
            self.log_g, self.log_sd = nn.Parameter(torch.zeros(D)), nn.Parameter(torch.zeros(case.channels))
            self.readout = nn.Linear(D, case.channels)

        def h(self, t: Any, x: Any) -> Any:
            return self.prior(x)

        def g(self, t: Any, x: Any) -> Any:
            if not case.networks:
                return self.log_g.exp().expand_as(x)
            return torch.cat([own(part) for own, part in zip(self.noise, x.split(1, 1), strict=True)], 1)

        def f(self, t: Any, x: Any) -> Any:
            bin_ = min(round(float(t) / h), case.bins - 1)
            return self.posterior(torch.cat([x, self.ahead[:, bin_]], 1))

        def loss(self, y: Any) -> Any:
            states, _ = self.encoder(y.flip(1))
            context = self.context(states.flip(1))
            self.ahead = context
            mean, log_sd = self.first(context[:, 0]).chunk(2, -1)
            start = mean + log_sd.exp() * torch.randn_like(mean)
            times = torch.arange(case.bins) * h
            x, path = library.sdeint(self, start, times, dt=h, method="euler", logqp=True)
            expected = self.readout(x.transpose(0, 1))
            fit = torch.distributions.Normal(expected, self.log_sd.exp()).log_prob(y).sum()
            kl = 0.5 * (mean**2 + (2 * log_sd).exp() - 1 - 2 * log_sd).sum()
            return (kl + path.sum() - fit) / len(y)

    model, y = Latent(), torch.from_numpy(case.data())
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        model.loss(y).backward()
        optimiser.step()

    return _timed(step)


def _jax(case: Case, path: Callable[..., Any], devices: int) -> Timer:
    """The same model in plain JAX, `path` being how x and the divergence are carried over time."""
    import jax
    import jax.numpy as jnp
    import optax
    from jax.sharding import Mesh
    from jax.sharding import PartitionSpec as P

    D, H, C, N = case.latents, case.hidden, case.context, case.channels
    shapes = {
        "W": (N, 3 * H), "V": (H, 3 * H), "b": (3 * H,), "context": (H, C), "first": (C, 2 * D),
        "f": (D, H), "fb": (H,), "f_out": (H, D), "f_out_b": (D,), "seen": (C, H), "seen_b": (H,),
        "u": (D, H), "u_out": (H, D), "u_out_b": (D,), "log_g": (D,), "log_sd": (N,), "read": (D, N), "read_b": (N,),
        "g": (D, H), "gb": (D * H,), "g_out": (D, H), "g_out_b": (D,),
    }  # fmt: skip
    for i in range(case.layers - 1):
        shapes |= {f"f{i}": (H, H), f"f{i}b": (H,), f"u{i}": (H, H), f"u{i}b": (H,)}
    keys = jax.random.split(jax.random.key(0), len(shapes))
    start = {
        name: jax.random.normal(key, shape) * shape[0] ** -0.5 if len(shape) > 1 else jnp.zeros(shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    y = jnp.asarray(case.data())
    rule = optax.adam(1e-3)
    unit = {"softplus": jax.nn.softplus, "tanh": jnp.tanh}[case.activation]

    def encode(p: Any, y: Any) -> Any:
        def cell(state: Any, gate: Any) -> Any:
            reset, update, candidate = jnp.split(gate, 3, -1)
            from_reset, from_update, inner = jnp.split(state @ p["V"], 3, -1)
            r, u = jax.nn.sigmoid(reset + from_reset), jax.nn.sigmoid(update + from_update)
            state = u * state + (1 - u) * jnp.tanh(candidate + r * inner)
            return state, state

        gates = jnp.swapaxes(y, 0, 1) @ p["W"] + p["b"]
        return jax.lax.scan(cell, jnp.zeros((y.shape[0], H)), gates, reverse=True)[1] @ p["context"]

    def network(p: Any, name: str, x: Any, first: Any) -> Any:
        hidden = unit(x @ p[name] + first)
        for i in range(case.layers - 1):
            hidden = unit(hidden @ p[f"{name}{i}"] + p[f"{name}{i}b"])
        return hidden @ p[f"{name}_out"] + p[f"{name}_out_b"]

    def drift(p: Any, x: Any) -> Any:
        return network(p, "f", x, p["fb"])

    def control(p: Any, x: Any, ahead: Any) -> Any:
        return network(p, "u", x, ahead)

    def noise(p: Any, x: Any) -> Any:
        if not case.networks:
            return jnp.exp(p["log_g"])
        first, last = ((jnp.eye(D)[..., None] * p[name]).reshape(D, D * H) for name in ("g", "g_out"))
        return jax.nn.sigmoid(unit(x @ first + p["gb"]) @ last.T + p["g_out_b"])

    def loss(p: Any, y: Any, key: Any) -> Any:
        first, later = jax.random.split(key)
        context = encode(p, y)
        mean, log_sd = jnp.split(context[0] @ p["first"], 2, -1)
        begin = mean + jnp.exp(log_sd) * jax.random.normal(first, mean.shape)
        x, path_kl = path(p, drift, control, noise, begin, context @ p["seen"] + p["seen_b"], later)
        error = (y - (jnp.swapaxes(x, 0, 1) @ p["read"] + p["read_b"])) * jnp.exp(-p["log_sd"])
        fit = -jnp.sum(0.5 * error**2 + p["log_sd"] + 0.5 * jnp.log(2 * jnp.pi))
        kl = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_sd) - 1 - 2 * log_sd)
        return (kl + path_kl - fit) / case.batch

    def slope(p: Any, y: Any, key: Any) -> Any:
        if devices == 1:
            return jax.value_and_grad(loss)(p, y, key)
        key = jax.random.fold_in(key, jax.lax.axis_index("trial"))
        return jax.lax.psum(jax.value_and_grad(loss)(p, y, key), "trial")

    if devices > 1:
        mesh = Mesh(np.asarray(jax.devices()), ("trial",))
        slope = jax.shard_map(
            slope, mesh=mesh, in_specs=(P(), P("trial"), P()), out_specs=P(), check_vma=False
        )

    @jax.jit
    def update(p: Any, state: Any, y: Any, key: Any) -> Any:
        value, gradient = slope(p, y, key)
        change, state = rule.update(gradient, state)
        return optax.apply_updates(p, change), state, value

    held = [start, rule.init(start), 0]

    def step() -> None:
        held[0], held[1], value = update(held[0], held[1], y, jax.random.fold_in(jax.random.key(1), held[2]))
        value.block_until_ready()
        held[2] += 1

    return _timed(step)


def bare(case: Case) -> Timer:
    """A scan over bins, the noise drawn before it."""
    import jax
    import jax.numpy as jnp

    def path(p: Any, drift: Any, control: Any, noise: Any, begin: Any, ahead: Any, key: Any) -> Any:
        eps = jax.random.normal(key, (case.bins - 1, *begin.shape))

        @jax.checkpoint
        def body(carry: Any, inputs: Any) -> Any:
            x, kl = carry
            now, eps = inputs
            u = control(p, x, now) * case.h**0.5
            x = x + case.h * drift(p, x) + case.h**0.5 * noise(p, x) * (u + eps)
            return (x, kl + 0.5 * jnp.sum(u**2)), x

        (_, kl), x = jax.lax.scan(body, (begin, 0.0), (ahead[1:], eps))
        return jnp.concatenate([begin[None], x]), kl

    return _jax(case, path, len(jax.devices()))


def diffrax(case: Case) -> Timer:
    """Diffrax's Euler with a virtual Brownian tree per trial, the divergence as one more state."""
    import diffrax as library
    import jax
    import jax.numpy as jnp

    times = jnp.arange(case.bins) * case.h
    end = float(times[-1])

    def path(p: Any, drift: Any, control: Any, noise: Any, begin: Any, ahead: Any, key: Any) -> Any:
        def loading(t: Any, state: Any, _: Any) -> Any:
            g = jnp.broadcast_to(noise(p, state[:-1]), (case.latents,))
            return jnp.concatenate([jnp.diag(g), jnp.zeros((1, case.latents))])  # none on the divergence

        def one(begin: Any, ahead: Any, key: Any) -> Any:
            def slope(t: Any, state: Any, _: Any) -> Any:
                x = state[:-1]
                u = control(p, x, ahead[jnp.round(t / case.h).astype(int)])
                return jnp.append(drift(p, x) + noise(p, x) * u, 0.5 * jnp.sum(u**2))

            tree = library.VirtualBrownianTree(0.0, end, case.h / 2, begin.shape, key)
            terms = library.MultiTerm(library.ODETerm(slope), library.ControlTerm(loading, tree))
            found = library.diffeqsolve(
                terms, library.Euler(), 0.0, end, case.h, jnp.append(begin, 0.0), saveat=library.SaveAt(ts=times),
                max_steps=2 * case.bins,
            )  # fmt: skip
            return found.ys[:, :-1], found.ys[-1, -1]

        x, kl = jax.vmap(one, (0, 1, 0))(begin, ahead, jax.random.split(key, len(begin)))
        return jnp.swapaxes(x, 0, 1), kl.sum()

    return _jax(case, path, 1)


def neurito(case: Case) -> Timer:
    """A fit of neurito's; each timing is a fit of its own, from its first entry of history to its last."""
    from neurito.data.trials import Trials
    from neurito.fitting import fit
    from neurito.models import NeuralSDE

    stretch = 5
    trials = Trials.from_array(case.data(), bin_width=case.h, kind="continuous")
    unit: Any = case.activation
    model = NeuralSDE(
        latents=case.latents, drift_widths=(case.hidden,) * case.layers, drift_activation=unit,
        diffusion="per_latent" if case.networks else "constant", diffusion_width=case.hidden,
        hidden=case.hidden, direction="backward", context=case.context,
        control=case.hidden, control_layers=case.layers, control_activation=unit, control_spread=False,
        readout="affine", keep=1.0, time_constant=1.0,
    )  # fmt: skip

    def timer(steps: int) -> tuple[float, float]:
        stamps: list[tuple[float, float]] = []

        def schedule(step: int) -> float:
            if step % stretch == 0:
                stamps.append((time.perf_counter(), time.process_time()))
            return 1e-3

        calls = 1 + -(-steps // stretch)
        fit(
            model, trials, epochs=calls * stretch, batch_size=case.batch, steps_per_call=stretch, evaluations=1,
            score="none", schedule=schedule, optimiser="adam", clip=0.0, progress=False,
        )  # fmt: skip
        stamps.append((time.perf_counter(), time.process_time()))
        taken = (calls - 1) * stretch
        (first, cpu), (last, last_cpu) = stamps[1], stamps[-1]
        return (last - first) * steps / taken, (last_cpu - cpu) * steps / taken

    timer(1)
    return timer


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        os.environ["JAX_NUM_CPU_DEVICES"] = str(os.cpu_count() or 1)
    serve({"torchsde": torchsde, "diffrax": diffrax, "bare": bare, "neurito": neurito}[sys.argv[1]], CASES)
