"""The edge of Zonewise: a command line and a Dash app over a workspace's finished runs.

Read `server` (the app is put together here), `shell` (what every page shares), then a page in `pages/` with the
tables that its `*_views` module makes of `queries` (the only reader of the store) and the `figures/` and
`components/` it shows them with. `jobs` and `worker` run scenarios in a process of their own, `study_job` is what
they run, `api` hands the map its data. Words on the screen are in `texts`, ids in `ids`, legal limits in `limits`.
"""
