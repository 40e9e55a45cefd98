"""Exports: a city's tables written in the formats of other tools. A door, for the edges alone.

Read `folder` (a folder that appears whole or not at all), then the formats: `sumo` (networks, signals and trips for
Eclipse SUMO), `gmns` (the General Modeling Network Specification) and `geopackage` (layers for any GIS). Each takes
tables that follow `data.schemas` and a folder; what it cannot express is said in its docstring.
"""
