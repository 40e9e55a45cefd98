"""Traffic: every vehicle on every link, event by event, by the kinematic-wave model.

Read `fundamental` (the flow-density relation of a link), `network` (tables to arrays), `kernels` (one event at a
time: the model itself), `engine` (the kernel with its state, for Python), `routing` (next links by travel time) and
`signals` (fixed plans). Knows nothing of air, models or SimPy; what it tells others is `simulation.link_state`.
"""
