"""Compiled walks down route trees: which counted links each trip's way holds."""

from numba import njit

from simulation.traffic.routing_kernels import NONE


@njit(cache=True)
def add_ways(tree, row_of_link, start, origin_link, weight, out):  # type: ignore[no-untyped-def]
    """Add the weight of every origin link to the counted links on its way to every destination.

    Parameters
    ----------
    tree : ndarray of int32, shape (D, n_links)
        Link to take at the end of each link; below 0 at the end and where there is no way.
    row_of_link : ndarray of int64, shape (n_links,)
        Row of each counted link in `out`, -1 of any other.
    start : ndarray of int64, shape (P + 1,)
    origin_link : ndarray of int64, shape (k,)
    weight : ndarray, shape (k,)
        Links on which trips of place `o` begin, `start[o]:start[o + 1]`, and the share of its trips that do.
    out : ndarray, shape (rows, P, D)
    """
    n_links = tree.shape[1]
    for dest in range(tree.shape[0]):
        for place in range(start.size - 1):
            for k in range(start[place], start[place + 1]):
                first = origin_link[k]
                end = first
                for _ in range(n_links):  # who finds no way drives nowhere
                    if tree[dest, end] < 0:
                        break
                    end = tree[dest, end]
                if tree[dest, end] == NONE or tree[dest, end] >= 0:
                    continue
                link = first
                while link >= 0:
                    row = row_of_link[link]
                    if row >= 0:
                        out[row, place, dest] += weight[k]
                    link = tree[dest, link]
