"""Pages: each module has `PAGE` (path, name, icon), `layout(queries, **address)` and `register(app, queries)`.

`scenarios` is two files: what the page looks like, and in `scenario_actions` what it does.
"""
