"""Outputs: what an analyst takes out of a traffic run. Everything follows from its entry log and its links.

Read `stays` (who was on which link from when to when), `link_books` (the `link_state` table, by interval and class),
`cumulative` (counts at both ends of a link, and the delay between them), `queues` (where vehicles waited),
`departure_causes` and `bottlenecks` (for which capacity they waited), `skims` (travel times from place to place),
`trajectories` (time and space of some trips) and `mfd` (the macroscopic fundamental diagram of zones). Nothing here is
made unless it is asked for; a city keeps its log on request (`City.run(keep_entry_log=True)`).
"""
