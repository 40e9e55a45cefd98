"""Readers: files from outside become tables that pass `data.schemas`.

For a city read `osm` (what an OpenStreetMap file holds), `osm_tags` (what the tags of a road say), `road_graph` (roads
to nodes and links), `turns` (which link may follow which), `places` and `coast` (what stands around, and what a map
draws), `osmnx_graph` (GraphML, and places by name), then `polygons` (zones that a user has drawn). `data.cities` calls
them. What was measured: `detectors` (loops), `weather` and `stations` (hours of a weather station, of air stations),
both by `hourly_tables` (times to UTC, faults by row).
"""
