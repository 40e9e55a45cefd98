"""Serving: who may ask the app for what, and how it answers many at once.

Read `settings` (what a served app is told), `serve` (gunicorn and the fallback), `front` (what every request meets, in
order), `guard` (what a callback meets within the app) with `changes` (which role each needs) and `controls` (what a
page switches off). Then who somebody is: `people`, `users`, `sessions`, `gate`, `door`; where a request comes from:
`origin`; and what is told: `headers`, `note`, `access_log`, `probes`, `metrics`, `endpoints`.
"""
