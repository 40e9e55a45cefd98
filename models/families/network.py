"""Networks: what all the small networks share to learn by, over one model or a stack of one per zone.

Read `standardise` (inputs), `Parameters` (all numbers of a network in one line of memory), `loss_gradient`, `AdamW`,
`learning_rate`, `Best` (early stopping). The first axes of `Parameters.flat` may count zones, so that a thousand
networks step at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal, get_args

import numpy as np

from models.errors import SettingsError

Loss = Literal["absolute", "squared", "huber", "pinball"]
LOSSES: tuple[str, ...] = get_args(Loss)
#: From here on the Huber loss is a straight line, in the zone's scale (assumed: a quarter of a standard deviation).
HUBER_EDGE = 0.25
_CLIP = 6.0  # standard deviations; beyond, an input says no more than "very far" (assumed)


def standardise(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Inputs in standard deviations from their mean, cut off at 6."""
    out = (values - centre) / scale
    return np.clip(out, -_CLIP, _CLIP, out=out)


def centre_and_scale(values: np.ndarray, axis: int | tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along some axes, single precision; a constant input has scale 1."""
    centre = values.mean(axis=axis, dtype=np.float64)
    scale = np.sqrt(np.maximum(np.square(values, dtype=np.float64).mean(axis=axis) - centre**2, 0))
    return centre.astype(np.float32), np.where(scale > 1e-3, scale, 1).astype(np.float32)


class Parameters:
    """Named arrays of one network, or of one per zone, laid end to end.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shape of each array of one network, in order.
    lead : tuple of int
        Leading axes, e.g. `(Z,)` for a network per zone.
    dtype : dtype

    Attributes
    ----------
    flat : ndarray, shape (*lead, P)
        All the numbers; `self[name]` is a view into it, of shape (*lead, *shapes[name]).
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], lead: tuple[int, ...] = (), dtype: np.typing.DTypeLike = np.float32
    ) -> None:
        self.shapes = dict(shapes)
        ends = np.cumsum([prod(shape) for shape in self.shapes.values()], dtype=np.int64)
        self._parts = {
            name: slice(int(end) - prod(shape), int(end))
            for (name, shape), end in zip(self.shapes.items(), ends, strict=True)
        }
        self.flat = np.zeros((*lead, int(ends[-1]) if len(ends) else 0), dtype=dtype)

    def __getitem__(self, name: str) -> np.ndarray:
        part = self.flat[..., self._parts[name]]
        return part.reshape(*part.shape[:-1], *self.shapes[name])

    def __setitem__(self, name: str, value: np.ndarray | float) -> None:
        lead = self.flat.shape[:-1]
        whole = np.broadcast_to(np.asarray(value, dtype=self.flat.dtype), (*lead, *self.shapes[name]))
        self.flat[..., self._parts[name]] = whole.reshape(*lead, -1)

    def like(self, flat: np.ndarray) -> Parameters:
        """The same names over other numbers, shape (..., P)."""
        other = Parameters.__new__(Parameters)
        other.shapes, other._parts, other.flat = self.shapes, self._parts, flat
        return other

    def mask(self, names: Sequence[str]) -> np.ndarray:
        """1 where a number belongs to one of the arrays named, else 0; shape (P,)."""
        out = np.zeros(self.flat.shape[-1], dtype=self.flat.dtype)
        for name in names:
            out[self._parts[name]] = 1
        return out


def loss_value(error: np.ndarray, loss: str, quantile: float = 0.5) -> np.ndarray:
    """Loss of each error (forecast minus outcome); `nan` stays `nan`.

    Examples
    --------
    >>> loss_value(np.array([-2.0, 1.0]), "pinball", 0.9)
    array([1.8, 0.1])
    """
    if loss == "squared":
        return 0.5 * error * error
    if loss == "huber":
        size = np.abs(error)
        return np.where(size < HUBER_EDGE, 0.5 * size * size / HUBER_EDGE, size - 0.5 * HUBER_EDGE)
    if loss == "pinball":
        return np.where(error > 0, (1 - quantile) * error, -quantile * error)
    return np.abs(error)


def loss_gradient(error: np.ndarray, loss: str, quantile: float = 0.5) -> np.ndarray:
    """Derivative of `loss_value` by the forecast; 0 where the outcome is unknown (`nan`)."""
    if loss == "squared":
        slope = error
    elif loss == "huber":
        slope = np.clip(error / HUBER_EDGE, -1, 1)
    elif loss == "pinball":
        slope = np.where(error > 0, np.asarray(1 - quantile, error.dtype), np.asarray(-quantile, error.dtype))
        slope = np.where(np.isnan(error), 0, slope)
    else:
        slope = np.sign(error)
    return np.nan_to_num(slope, copy=False, nan=0.0)


def check_choices(family: str, settings: Mapping[str, object], allowed: Mapping[str, Sequence[object]]) -> None:
    """`SettingsError` that names all the settings whose value is not among those allowed."""
    wrong = [
        f"{name}={settings[name]!r} (one of {', '.join(map(repr, values))})"
        for name, values in allowed.items()
        if settings[name] not in values
    ]
    if wrong:
        raise SettingsError(f"{family} cannot have {'; '.join(wrong)}")


def check_ranges(family: str, settings: Mapping[str, object], ranges: Mapping[str, tuple[float, float]]) -> None:
    """`SettingsError` that names all the settings that are no number within their range, ends included."""
    wrong = []
    for name, (low, high) in ranges.items():
        value = settings[name]
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            wrong.append(f"{name}={value!r} ({low:g} to {high:g})")
    if wrong:
        raise SettingsError(f"{family} cannot have {'; '.join(wrong)}")


class AdamW:
    """Adam with weight decay kept apart from the gradient.

    Parameters
    ----------
    parameters : Parameters
        Changed in place by `step`.
    decay : ndarray, shape (P,)
        Share of a number that is lost in a step at a learning rate of 1.
    betas : tuple of float
        Memory of the gradient's mean and of its square.

    References
    ----------
    Kingma & Ba (2015), doi:10.48550/arXiv.1412.6980; Loshchilov & Hutter (2019), doi:10.48550/arXiv.1711.05101.
    """

    def __init__(
        self, parameters: Parameters, decay: np.ndarray | float = 0.0, betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self.parameters, self.betas = parameters, betas
        self.decay = np.asarray(decay, dtype=parameters.flat.dtype)
        self._mean = np.zeros_like(parameters.flat)
        self._square = np.zeros_like(parameters.flat)
        self._steps = 0

    def step(self, grad: np.ndarray, rate: float) -> None:
        """One step against a gradient of the shape of `parameters.flat`."""
        self._steps += 1
        flat, (fade, fade_square) = self.parameters.flat, self.betas
        self._mean *= fade
        self._mean += (1 - fade) * grad
        self._square *= fade_square
        self._square += (1 - fade_square) * np.square(grad)
        size = np.sqrt(self._square)
        size *= (1 - fade_square**self._steps) ** -0.5
        size += 1e-8
        change = self._mean / size
        change *= rate / (1 - fade**self._steps)
        if self.decay.any():
            flat *= 1 - rate * self.decay
        flat -= change

    def keep(self, zones: np.ndarray) -> None:
        """Go on with some of the zones of a stack, by place; the caller cuts `parameters` likewise."""
        self._mean, self._square = self._mean[zones], self._square[zones]


def learning_rate(progress: float, peak: float, *, warm_up: float = 0.1, floor: float = 0.02) -> float:
    """Rate after a share of all steps: up in a line, then down along half a cosine to `floor` times the peak.

    References
    ----------
    Loshchilov & Hutter (2017), doi:10.48550/arXiv.1608.03983 (cosine); Smith & Topin (2018),
    doi:10.48550/arXiv.1708.07120 (one cycle).

    Examples
    --------
    >>> [round(learning_rate(p, 1.0, floor=0.0), 3) for p in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warm_up:
        return peak * progress / warm_up
    way = (progress - warm_up) / (1 - warm_up)
    return float(peak * (floor + (1 - floor) * 0.5 * (1 + np.cos(np.pi * min(way, 1.0)))))


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], share: float, dtype: np.dtype) -> np.ndarray:
    """0 for about `share` of the numbers, the rest scaled up so that the mean stays 1.

    The share is rounded to 1/256: a random byte a number is four times as fast as a random fraction.

    References
    ----------
    Srivastava et al. (2014), https://jmlr.org/papers/v15/srivastava14a.html
    """
    cut = round(share * 256)
    draw = np.frombuffer(rng.bytes(prod(shape)), dtype=np.uint8).reshape(shape)
    return (draw >= cut).astype(dtype) * dtype.type(256 / (256 - cut))


class Best:
    """Early stopping for a stack of networks: each keeps the numbers that had its lowest loss.

    Parameters
    ----------
    flat : ndarray, shape (Z, P)
        Where all of them start; this counts as epoch 0.
    loss : ndarray, shape (Z,)
        Loss of the start on rows held out; `nan` where there are none: such a network keeps its start.
    patience : int
        Epochs without a lower loss after which a network stops.
    """

    def __init__(self, flat: np.ndarray, loss: np.ndarray, patience: int) -> None:
        self.flat, self.loss = flat.copy(), loss.copy()
        self.epoch = np.zeros(len(loss), dtype=np.int64)
        self.patience = patience

    def offer(self, epoch: int, zones: np.ndarray, flat: np.ndarray, loss: np.ndarray) -> np.ndarray:
        """Show the networks of some zones, flat (len(zones), P); returns which of these should go on learning."""
        better = loss < self.loss[zones]
        at = zones[better]
        self.flat[at], self.loss[at], self.epoch[at] = flat[better], loss[better], epoch
        return (epoch - self.epoch[zones] < self.patience) & np.isfinite(self.loss[zones])
