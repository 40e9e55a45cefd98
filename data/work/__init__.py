"""Work: where independent parts of a job are computed: in this process, in processes here, or on a Dask cluster.

Read `spread` (the one function that the rooms call, and the choice of the place), `cluster` (a Dask cluster as a
place), `rounds` (giving out parts: lost, slow and newly come workers) and `packing` (large arrays cross the wire once).
Wherever parts run, what comes back is the same, bit for bit.
"""

from data.work.spread import Place, chosen_place, spread, width, working_at

__all__ = ["Place", "chosen_place", "spread", "width", "working_at"]
