"""Traffic: every vehicle on every link, event by event, by the kinematic-wave model.

Read, for the model: `fundamental` (the flow-density relation of a link), `network` (tables to arrays), `junctions` (who
gives way, what a junction passes on, lanes to turn from), `event_kernels` (one event at a time: the model itself, with
the other kernels that it names), `engine` (the kernels with their state, for Python) and `loading` (trips from node to
node, to the end).

For route choice: `routing` (next links by travel time), `costs` (tolls and values of time), `logit`, `time_dependent`,
`dynamic_equilibrium`, and `static_assignment` (one period, BPR times: a baseline and a start). For signals:
`intersections`, `webster`, `signals`, `coordination`, `actuated`. For what comes out: `entry_log` and `outputs`.

Knows nothing of air, models or SimPy; what it tells others is `simulation.link_state`.
"""
