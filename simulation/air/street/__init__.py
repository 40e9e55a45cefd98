"""Street canyons: where walls stand on both sides of a street, and what the exhaust does between them.

Read `walls` (which streets are canyons, how high and wide; `carriageways` and `canyon_ends` help it), `ospm` (the
concentration at both walls per gram emitted), then `canyon_box` (the same as one well-mixed box: a fallback, and a
check on the other).
"""
