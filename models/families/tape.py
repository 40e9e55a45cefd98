"""Tape: what a small network computed, so that its gradients can be told backwards.

Reverse-mode differentiation over NumPy arrays, with the dozen operations that the networks here need. Arrays keep their
type: single precision to learn, double to check gradients by finite differences. No operation changes an array that it
was given, and none uses more than one thread by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np


class Node:
    """A value on a tape, and the gradient of the loss with respect to it once `Tape.backward` has run.

    Attributes
    ----------
    value : ndarray
    grad : ndarray or None
        Shape of `value`; None where nothing that was learned depends on it.
    needs : bool
        Whether something before it is learned.
    """

    __slots__ = ("grad", "needs", "value")

    def __init__(self, value: np.ndarray, *, needs: bool = False) -> None:
        self.value = value
        self.grad: np.ndarray | None = None
        self.needs = needs

    def receive(self, grad: np.ndarray) -> None:
        """Add a part of the gradient."""
        if self.needs:
            self.grad = grad if self.grad is None else self.grad + grad


class Tape:
    """Operations on nodes, recorded in order.

    Parameters
    ----------
    record : bool
        False for forecasts: nothing is kept, so that what was computed on the way can be freed.
    """

    def __init__(self, *, record: bool = True) -> None:
        self.record = record
        self._steps: list[Callable[[], None]] = []

    def backward(self, node: Node, grad: np.ndarray) -> None:
        """Fill in `grad` of all nodes that `node` was computed from, given the loss's gradient at `node`."""
        node.grad = grad
        for step in reversed(self._steps):
            step()
        self._steps.clear()

    def _emit(self, value: np.ndarray, sources: Sequence[Node], step: Callable[[np.ndarray], None]) -> Node:
        node = Node(value, needs=self.record and any(source.needs for source in sources))
        if node.needs:

            def run() -> None:
                if node.grad is not None:
                    step(node.grad)

            self._steps.append(run)
        return node

    def linear(self, x: Node, w: Node, b: Node | None = None) -> Node:
        """`x @ w + b` over the last axis: x (..., F), w (F, H), b (H,)."""
        flat = x.value.reshape(prod(x.value.shape[:-1]), x.value.shape[-1])
        value = flat @ w.value
        if b is not None:
            value += b.value

        def step(grad: np.ndarray) -> None:
            back = grad.reshape(-1, grad.shape[-1])
            if x.needs:
                x.receive((back @ w.value.T).reshape(x.value.shape))
            w.receive(flat.T @ back)
            if b is not None:
                b.receive(back.sum(axis=0))

        return self._emit(value.reshape(*x.value.shape[:-1], -1), (x, w, *(() if b is None else (b,))), step)

    def matmul(self, a: Node, b: Node) -> Node:
        """`a @ b` of stacks of matrices with the same leading axes."""

        def step(grad: np.ndarray) -> None:
            if a.needs:
                a.receive(grad @ b.value.swapaxes(-1, -2))
            if b.needs:
                b.receive(a.value.swapaxes(-1, -2) @ grad)

        return self._emit(a.value @ b.value, (a, b), step)

    def add(self, *nodes: Node) -> Node:
        """Sum of nodes whose shapes broadcast."""
        value = nodes[0].value
        for node in nodes[1:]:
            value = value + node.value

        def step(grad: np.ndarray) -> None:
            for node in nodes:
                if node.needs:
                    node.receive(_fold(grad, node.value.shape))

        return self._emit(value, nodes, step)

    def mul(self, a: Node, b: Node) -> Node:
        """Product of two nodes whose shapes broadcast."""

        def step(grad: np.ndarray) -> None:
            if a.needs:
                a.receive(_fold(grad * b.value, a.value.shape))
            if b.needs:
                b.receive(_fold(grad * a.value, b.value.shape))

        return self._emit(a.value * b.value, (a, b), step)

    def weighted_sum(self, x: Node, v: Node) -> Node:
        """Sum over the last axis of `x * v`: x (B, S, U), v (S, U), result (B, S)."""
        value = np.matmul(x.value.transpose(1, 0, 2), v.value[:, :, None])[:, :, 0].T

        def step(grad: np.ndarray) -> None:
            if x.needs:
                x.receive(grad[:, :, None] * v.value)
            v.receive(np.matmul(grad.T[:, None, :], x.value.transpose(1, 0, 2))[:, 0])

        return self._emit(value, (x, v), step)

    def relu(self, x: Node) -> Node:
        """`max(x, 0)`."""
        value = np.maximum(x.value, 0)
        return self._emit(value, (x,), lambda grad: x.receive(grad * (value > 0)))

    def tanh(self, x: Node) -> Node:
        """Hyperbolic tangent."""
        value = np.tanh(x.value)
        return self._emit(value, (x,), lambda grad: x.receive(grad * (1 - value * value)))

    def sigmoid(self, x: Node) -> Node:
        """Logistic function, by way of tanh, which never overflows."""
        value = 0.5 * np.tanh(0.5 * x.value) + 0.5
        return self._emit(value, (x,), lambda grad: x.receive(grad * value * (1 - value)))

    def softmax(self, x: Node) -> Node:
        """Weights over the last axis, positive, summing to one."""
        value = np.exp(x.value - x.value.max(axis=-1, keepdims=True))
        value /= value.sum(axis=-1, keepdims=True)

        def step(grad: np.ndarray) -> None:
            x.receive(value * (grad - (grad * value).sum(axis=-1, keepdims=True)))

        return self._emit(value, (x,), step)

    def mask(self, x: Node, factor: np.ndarray) -> Node:
        """Product with a constant, e.g. a dropout mask from `network.dropout_mask`."""
        return self._emit(x.value * factor, (x,), lambda grad: x.receive(_fold(grad * factor, x.value.shape)))

    def concat(self, *nodes: Node) -> Node:
        """Side by side along the last axis."""
        ends = np.cumsum([node.value.shape[-1] for node in nodes])

        def step(grad: np.ndarray) -> None:
            for node, end in zip(nodes, ends, strict=True):
                if node.needs:
                    node.receive(grad[..., end - node.value.shape[-1] : end])

        return self._emit(np.concatenate([node.value for node in nodes], axis=-1), nodes, step)

    def reshape(self, x: Node, shape: tuple[int, ...]) -> Node:
        """The same numbers in another shape."""
        return self._emit(x.value.reshape(shape), (x,), lambda grad: x.receive(grad.reshape(x.value.shape)))

    def cut(self, x: Node, start: int, stop: int) -> Node:
        """Columns `start` to `stop` of the last axis."""

        def step(grad: np.ndarray) -> None:
            whole = np.zeros_like(x.value)
            whole[..., start:stop] = grad
            x.receive(whole)

        return self._emit(x.value[..., start:stop], (x,), step)

    def windows(self, x: Node, size: int, stride: int) -> Node:
        """Neighbouring steps side by side, to convolve with `linear`: x (B, T, C) to (B, T', size * C)."""
        _, steps, channels = x.value.shape
        count = (steps - size) // stride + 1
        value = np.concatenate([x.value[:, k : k + stride * count : stride] for k in range(size)], axis=2)

        def step(grad: np.ndarray) -> None:
            whole = np.zeros_like(x.value)
            for k in range(size):
                whole[:, k : k + stride * count : stride] += grad[:, :, k * channels : (k + 1) * channels]
            x.receive(whole)

        return self._emit(value, (x,), step)

    def look_up(self, table: Node, index: np.ndarray) -> Node:
        """Rows of a table: table (Z, E), index (B,), result (B, E)."""

        def step(grad: np.ndarray) -> None:
            order = np.argsort(index, kind="stable")
            seen, starts = np.unique(index[order], return_index=True)
            whole = np.zeros_like(table.value)
            if index.size and whole.shape[1]:
                whole[seen] = np.add.reduceat(grad[order], starts, axis=0)
            table.receive(whole)

        return self._emit(table.value[index], (table,), step)


def _fold(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum of a gradient over the axes along which a value of `shape` was repeated."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    axes = (*range(extra), *(extra + k for k, size in enumerate(shape) if size == 1 and grad.shape[extra + k] > 1))
    return grad.sum(axis=axes, keepdims=False).reshape(shape)
