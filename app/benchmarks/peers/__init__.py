"""Our traffic engine beside its peers: the same trips on the same links, each engine in a process of its own.

Read `task` (what is run), `process` (one process, one core), then one engine each: `ours`, `uxsim`, `sumo`; `engines`
names them, `rows` makes medians and ratios of their runs, `free_flow` the routes that all may share. `apart` finds
where two engines part, on networks that `variants` gives another rule. `grid` and `scaling` make and measure what only
we are asked for, `static` the static equilibrium. Peers come with the extra `bench`.
"""
