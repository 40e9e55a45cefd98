"""Case `models`: the library on real panels, beside peers, with its guards and its speed. Read `run` first."""
