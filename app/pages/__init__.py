"""Pages: each module has `PAGE` (path, name, icon), `layout(queries, **address)` and `register(app, queries)`."""
