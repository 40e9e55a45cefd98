"""A four-ary heap of (key, item) pairs for shortest-path searches (Numba). Arrays in, arrays changed.

The arrays are the caller's, and so is the number of entries. An item may stand in the heap more than once; a search
passes over the ones that a better offer has made stale.
"""

from __future__ import annotations

from typing import Any

from numba import njit

#: The searches are bound by their heaps: each has its own copy of this code, not a call.
_inlined: Any = njit(inline="always")


@_inlined
def push(
    keys,  # (h,) float
    items,  # (h,) int
    size,  # entries in the heap
    key,
    item,
):
    """Put a pair into the heap, which has `size + 1` entries then."""
    i = size
    while i > 0:
        parent = (i - 1) >> 2
        if keys[parent] <= key:
            break
        keys[i] = keys[parent]
        items[i] = items[parent]
        i = parent
    keys[i] = key
    items[i] = item


@_inlined
def drop_first(
    keys,  # (h,) float
    items,  # (h,) int
    size,  # entries that are left without the first
):
    """Take the pair with the least key off the heap: what stands at `size` fills its place."""
    last_key = keys[size]
    last_item = items[size]
    i = 0
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = child
        best_key = keys[child]
        for other in range(child + 1, min(child + 4, size)):
            if keys[other] < best_key:
                best = other
                best_key = keys[other]
        if best_key >= last_key:
            break
        keys[i] = best_key
        items[i] = items[best]
        i = best
    keys[i] = last_key
    items[i] = last_item
