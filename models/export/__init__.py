"""Export: a zone's micromodel as something else can run it: ONNX, plain C for a sensor, a bundle for a gateway.

Read `program` (what a micromodel computes, as a list of simple parts), `families` (which part each family is), then
`onnx_graph`, `c_source` (with `c_parts` and `c_features`) and `sizes` (flash, memory and operations of what a compiler
made of it).
"""
