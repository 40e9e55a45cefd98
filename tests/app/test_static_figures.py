"""Figures of the static equilibrium: a problem written by the test, and its exact published flows."""

from app.benchmarks.peers.static import Case, _figures

NETWORK = """<NUMBER OF ZONES> 2
<NUMBER OF NODES> 3
<FIRST THRU NODE> 1
<NUMBER OF LINKS> 3
<END OF METADATA>
1 2 1 5 10 0.1 1 0 0 1 ;
1 3 1 1 16 0.0625 1 0 0 1 ;
3 2 1 0 0 0 1 0 0 1 ;
"""
TRIPS = "<NUMBER OF ZONES> 2\n<END OF METADATA>\nOrigin 1\n 2 : 10.0;\n"


def test_a_published_solution_is_met_or_not(tmp_path):
    """10 + q + 5 = 16 + (10 - q) + 1: q = 6, 21 on either; published flows of 9 and 1 are far from it."""
    (tmp_path / "Two_net.tntp").write_text(NETWORK)
    (tmp_path / "Two_trips.tntp").write_text(TRIPS)
    case = Case(folder="Two", name="Two", label="Two", time_per_length=1.0, speed_gap=1e-4)
    for flows, met in (((6.0, 4.0), True), ((9.0, 1.0), False)):
        first, second = flows
        (tmp_path / "Two_flow.tntp").write_text(f"1 2 {first} 20\n1 3 {second} 20\n3 2 {second} 0\n")
        error, gap, speed = _figures(case, tmp_path)
        assert error["met"] is met and gap["met"] is True
        assert speed["met"] is None and speed["n"] == 5 and speed["lower"] <= speed["value"] <= speed["upper"]
