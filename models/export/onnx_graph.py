"""ONNX: a zone's micromodel as a graph that any ONNX runtime runs, quantiles included.

The graph takes features and what is usual at the moments forecast for, and gives quantiles in the target's unit. It is
built from `program`'s parts, operator by operator; trees are `TreeEnsembleRegressor` of ONNX-ML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.errors import SettingsError
from models.export.families import program_of
from models.export.program import BentLines, Curves, Lines, Network, Part, Program, Range, Regimes, Trees
from models.forecasting import LearnedForecaster
from models.scale import to_scale

OPSET, ML_OPSET, IR_VERSION = 17, 3, 9  # old enough for the runtimes of small devices
INPUTS = ("common", "ahead", "usual", "stray")


def onnx_bytes(model: LearnedForecaster, zone_id: str | None = None, *, card: dict[str, str] | None = None) -> bytes:
    """A zone's micromodel as an ONNX file.

    Inputs, all float32: `common` (n, F1) and `ahead` (n, S, F2), see `rows.Rows`; `usual` and `stray` (n, S), the usual
    value and the usual absolute deviation on the model's scale. Output: `quantiles` (n, S, Q), in the target's unit.

    Parameters
    ----------
    model : LearnedForecaster
    zone_id : str or None
        None where it serves one zone.
    card : dict of str to str or None
        Kept as the file's metadata.

    Raises
    ------
    SettingsError
        If the extra `onnx` is not installed, or the family cannot be exported.
    """
    try:
        import onnx
    except ImportError as error:
        raise SettingsError("export to ONNX needs onnx; install it: pip install 'zonewise[onnx]'") from error
    program = program_of(model, zone_id)
    graph = _Graph(program)
    made = graph.build(square=bool(to_scale(model.target, np.array([4.0]))[0] == 2.0))
    opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    file = onnx.helper.make_model(made, opset_imports=opsets, producer_name="zonewise", ir_version=IR_VERSION)
    onnx.helper.set_model_props(file, {"target": model.target, "family": model.family, **(card or {})})
    onnx.checker.check_model(file, full_check=True)
    return bytes(file.SerializeToString())


class _Graph:
    """Nodes and constants of one graph, as they are added."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.kept: dict[bytes, str] = {}

    def build(self, *, square: bool) -> Any:
        from onnx import TensorProto, helper

        p, horizons = self.program, len(self.program.steps)
        n_ahead = len(p.names) - p.n_common
        columns = []
        for s in range(horizons):
            near = self.add("Squeeze", self.slice("ahead", s, s + 1, axis=1), self.whole([1]))
            columns.append(self.add("Concat", "common", near, axis=1))
        found = []
        for s, x in enumerate(columns):
            own = self.slice(x, p.names.index("own_lag_0"), p.names.index("own_lag_0") + 1)
            total = self.add("Mul", own, self.number([p.start[s]]))
            for part in p.parts:
                total = self.add("Add", total, self.part(part, x, s))
            found.append(total)
        deviation = self.add("Concat", *found, axis=1) if horizons > 1 else found[0]
        point = self.add("Add", "usual", self.add("Mul", deviation, self.number([p.scale])))
        reach = self.add("Mul", self.add("Unsqueeze", "stray", self.whole([2])), self.number(p.offsets))
        level = self.add("Add", self.add("Unsqueeze", point, self.whole([2])), reach)
        out = self.add("Relu", level)
        out = self.add("Mul", out, out) if square else out
        self.add("Identity", out, into="quantiles")
        size: dict[str, Any] = {"common": ["n", p.n_common], "ahead": ["n", horizons, n_ahead]}
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, size.get(name, ["n", horizons])) for name in INPUTS
        ]
        shape = ["n", horizons, p.offsets.shape[1]]
        result = helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, shape)
        return helper.make_graph(self.nodes, "micromodel", inputs, [result], self.constants)

    # ------------------------------------------------------------------ parts, each (n, 1) for one horizon

    def part(self, part: Part, x: str, s: int) -> str:
        if isinstance(part, Lines):
            held = self.held(x, part.range, s)
            out = self.add("MatMul", held, self.number(part.weight[s][:, None]))
            return self.add("Add", out, self.number([part.constant[s]]))
        if isinstance(part, Curves):
            return self._curves(part, x, s)
        if isinstance(part, Trees):
            return self._trees(part, x, s)
        if isinstance(part, BentLines):
            return self._bent(part, x, s)
        if isinstance(part, Regimes):
            return self._regimes(part, x, s)
        assert isinstance(part, Network)
        z = self.add("Div", self.add("Sub", x, self.number(part.centre)), self.number(part.scale))
        z = self.add("Clip", z, self.number(-part.most), self.number(part.most))
        layer = self.add("MatMul", z, self.number(part.inner))
        layer = self.add("Relu", self.add("Add", layer, self.number(part.threshold[s])))
        if part.deep is not None and part.deep_threshold is not None:
            layer = self.add("MatMul", layer, self.number(part.deep))
            layer = self.add("Relu", self.add("Add", layer, self.number(part.deep_threshold)))
        return self.add("MatMul", layer, self.number(part.out[s][:, None]))

    def _curves(self, part: Curves, x: str, s: int) -> str:
        chosen = self.add("Gather", x, self.whole(part.feature), axis=1)
        over = self.add("Relu", self.add("Sub", chosen, self.number(part.knot)))
        over = self.add("Div", over, self.number(part.spread))
        bend = self.add("Div", self.add("Mul", over, over), self.add("Add", over, self.number([1.0])))
        bend = self.add("Sub", bend, self.number(part.offset))
        bend = self.add("Min", self.add("Max", bend, self.number(part.low)), self.number(part.high))
        return self.add("MatMul", bend, self.number(part.weight[s][:, None]))

    def _trees(self, part: Trees, x: str, s: int) -> str:
        if part.feature.size and part.feature.max() >= part.width:  # the horizon is asked about
            rows = self.add("Mul", self.slice(x, 0, 1), self.number([0.0]))
            x = self.add("Concat", x, self.add("Add", rows, self.number([part.step[s]])), axis=1)
        total = self.add("Mul", self.slice(x, 0, 1), self.number([0.0]))
        if part.roots[s].size:
            column = s if part.leaf.shape[1] > 1 else 0
            trees = [part.nodes(int(root)) for root in part.roots[s]]
            total = self.ensemble(part, trees, part.leaf[:, column : column + 1], x)
        return self.add("Add", total, self.number([part.constant[s]]))

    def _bent(self, part: BentLines, x: str, s: int) -> str:
        held = self.held(x, part.range, s)
        tree = part.tree(*part.range.low.shape)
        line = self.ensemble(tree, [tree.nodes(0)], part.line[:, s], held)
        chosen = self.add("Gather", held, self.whole(part.chosen), axis=1)
        one = self.add("Add", self.add("Mul", self.slice(x, 0, 1), self.number([0.0])), self.number([1.0]))
        terms = self.add("Mul", line, self.add("Concat", chosen, one, axis=1))
        return self.add("ReduceSum", terms, self.whole([1]), keepdims=1)

    def _regimes(self, part: Regimes, x: str, s: int) -> str:
        held = self.held(x, part.range, s)
        score = self.add("Add", self.add("MatMul", held, self.number(part.gate)), self.number(part.offset))
        share = self.add("Softmax", score, axis=1)
        chosen = self.add("Gather", held, self.whole(part.bent), axis=1)
        line = self.add("MatMul", chosen, self.number(part.bends[s, :, :-1].T))
        line = self.add("Add", line, self.number(part.bends[s, :, -1]))
        return self.add("ReduceSum", self.add("Mul", share, line), self.whole([1]), keepdims=1)

    def ensemble(self, tree: Trees, trees: Sequence[Sequence[int]], values: np.ndarray, x: str) -> str:
        """Sum of some trees whose nodes hold `values` (nodes, V): shape (n, V)."""
        ask = "BRANCH_LT" if tree.reaching else "BRANCH_LEQ"
        fields: dict[str, list[Any]] = {
            name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
        }
        leaf: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
        for k, nodes in enumerate(trees):
            place = {node: j for j, node in enumerate(nodes)}
            for node in nodes:
                inner = tree.feature[node] >= 0
                first = place[nodes[0] + int(tree.left[node])] if inner else 0
                row = (
                    k, place[node], int(tree.feature[node]) if inner else 0,
                    float(tree.threshold[node]) if inner else 0.0, ask if inner else "LEAF", first,
                    first + 1 if inner else 0,
                )  # fmt: skip
                for name, value in zip(fields, row):
                    fields[name].append(value)
                for j, weight in enumerate(values[node]) if not inner else ():
                    for name, value in zip(leaf, (k, place[node], j, float(weight))):
                        leaf[name].append(value)
        attributes: dict[str, Any] = {f"nodes_{name}": value for name, value in fields.items()}
        attributes |= {f"target_{name}": value for name, value in leaf.items()}
        return self.add(
            "TreeEnsembleRegressor", x, domain="ai.onnx.ml", n_targets=int(values.shape[1]), post_transform="NONE",
            aggregate_function="SUM", **attributes,
        )  # fmt: skip

    # ------------------------------------------------------------------ nodes and constants

    def held(self, x: str, ranges: Range, s: int) -> str:
        low, high = (np.nan_to_num(edge[s], posinf=3e38, neginf=-3e38) for edge in (ranges.low, ranges.high))
        return self.add("Min", self.add("Max", x, self.number(low)), self.number(high))

    def slice(self, x: str, start: int, stop: int, axis: int = 1) -> str:
        return self.add("Slice", x, self.whole([start]), self.whole([stop]), self.whole([axis]))

    def add(self, kind: str, *inputs: str, into: str = "", domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = into or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def number(self, value: Any) -> str:
        return self._constant(np.ascontiguousarray(value, dtype=np.float32))

    def whole(self, value: Any) -> str:
        return self._constant(np.ascontiguousarray(value, dtype=np.int64))

    def _constant(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        key = f"{array.dtype}{array.shape}".encode() + array.tobytes()
        if key not in self.kept:
            self.kept[key] = f"c{len(self.kept)}"
            self.constants.append(numpy_helper.from_array(array, self.kept[key]))
        return self.kept[key]


class OnnxMicromodel:
    """An exported graph beside its featuriser: forecasts as the forecaster it was made from.

    Parameters
    ----------
    data : bytes
        Of the ONNX file.

    Raises
    ------
    SettingsError
        If onnxruntime is not installed.
    """

    def __init__(self, data: bytes) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise SettingsError("running ONNX needs onnxruntime; install it: pip install 'zonewise[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def quantiles(self, common: np.ndarray, ahead: np.ndarray, usual: np.ndarray, stray: np.ndarray) -> np.ndarray:
        """Shape (n, S, Q); arguments as in `onnx_bytes`."""
        given = dict(zip(INPUTS, (common, ahead, usual, stray)))
        arrays = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in given.items()}
        return np.asarray(self.session.run(["quantiles"], arrays)[0])

    def forecast(self, model: LearnedForecaster, panel, known: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Quantiles (n, S, Q) of origins whose last known positions are `known`, features by the model's featuriser."""
        assert model.featuriser is not None and model.profile is not None
        rows = model.featuriser.rows(panel, known, model.anchors)
        aim = known[:, None] + np.asarray(model.anchors)
        usual, stray = model.profile.usual(panel.calendar, aim), model.profile.stray(panel.calendar, aim)
        return self.quantiles(rows.common[:, 0], rows.ahead[:, 0], usual[..., 0], stray[..., 0])
