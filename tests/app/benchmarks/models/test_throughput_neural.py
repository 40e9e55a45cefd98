"""Throughput of small networks: what is reported."""

from __future__ import annotations

from app.benchmarks.models.throughput_neural import throughput


def test_networks_are_reported_beside_scikit_learns_on_the_same_zones():
    """Six zones, two of them learned by scikit-learn too; ours must beat the line that they start from."""
    found = throughput(zones=6, peer_zones=2)
    errors = {row["model"]: row["mae"] for row in found["rows"]}
    assert len(errors) == 3
    assert errors["mlp"] < errors["the line it starts from"]
    assert found["figures"][0]["target"] == 0.36
    assert all(figure["value"] > 0 for figure in found["figures"])
