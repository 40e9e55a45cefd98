"""The store: what is kept on disk, and how it is kept whole.

Read `protocol` (what a room may ask of a store), `folder` (that, on disk), `runs` (immutable, content-addressed run
folders), then `workspace` (one city's folder: its runs, observations, models and jobs). `locks`, `formats` and `room`
keep two writers apart, older and newer files apart, and the disk from filling up.
"""
