"""The commands of `zonewise`, a file for each group; `app.cli` puts them together.

Read `options` (what commands take alike), `output` (how they print), `jobs` (from a city to a comparison), then the
others: `air`, `forecasts`, `runs`, `scenarios`. A command parses, calls and prints; it knows no science.
"""
