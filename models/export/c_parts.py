"""Parts in C: constant tables, each written once, and a function for every part of a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.export.program import BentLines, Curves, Lines, Network, Part, Program, Range, Regimes, Trees

_FAR = 3.0e38  # in place of an infinite end of a range


class Tables:
    """Constant arrays of a C file; equal contents are written once."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._text: list[str] = []

    def add(self, hint: str, values: np.ndarray | Sequence[float], kind: str = "float") -> str:
        """Name of a table that holds these values, row after row; `kind` is float, double or an integer type."""
        array = np.asarray(values)
        flat = array.ravel().astype(np.float32 if kind == "float" else np.float64 if kind == "double" else np.int64)
        if kind == "float":
            flat = np.clip(flat, -_FAR, _FAR)
        key = kind.encode() + flat.tobytes()
        if key not in self._names:
            name = f"zw_{hint}" if f"zw_{hint}" not in self._names.values() else f"zw_{hint}_{len(self._names)}"
            self._names[key] = name
            words = [
                number(float(v)) if kind == "float" else repr(float(v)) if kind == "double" else str(v) for v in flat
            ]
            self._text.append(f"static const {kind} {name}[{max(1, flat.size)}] = {{{_wrapped(words or ['0'])}}};")
        return self._names[key]

    def text(self) -> str:
        """All tables as C."""
        return "\n".join(self._text)


def number(value: float) -> str:
    """A float constant that a compiler reads back exactly."""
    text = f"{np.float32(value):.9g}"
    return text + ("f" if any(c in text for c in ".e") else ".0f")


def _wrapped(words: Sequence[str]) -> str:
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) > 110:
            lines.append(line)
            line = ""
        line += f"{word}, "
    lines.append(line.rstrip(", "))
    return lines[0] if len(lines) == 1 else "\n    " + "\n    ".join(lines)


def small(most: int) -> str:
    """The smallest unsigned type that holds numbers up to `most`."""
    return "uint8_t" if most < 256 else "uint16_t" if most < 65_536 else "uint32_t"


def c_parts(program: Program, tables: Tables) -> tuple[str, list[str]]:
    """Functions of all parts, `static float zw_partK(const float *x, int s)`, and their names."""
    found, names = [], []
    for k, part in enumerate(program.parts):
        names.append(f"zw_part{k}")
        found.append(_function(part, names[-1], program, tables))
    return "\n".join(found), names


def _function(part: Part, name: str, program: Program, tables: Tables) -> str:
    width, common = len(program.names), program.n_common
    head = f"static float {name}(const float *x, int s)\n{{\n"
    if isinstance(part, Lines):
        return _lines(part, head, common, tables)
    if isinstance(part, Curves):
        return _curves(part, head, tables)
    if isinstance(part, Trees):
        return _trees(part, head, tables)
    if isinstance(part, BentLines):
        return _bent(part, head, width, common, tables)
    if isinstance(part, Regimes):
        return _regimes(part, head, width, common, tables)
    assert isinstance(part, Network)
    return _network(part, head, width, tables)


def _lines(part: Lines, head: str, common: int, tables: Tables) -> str:
    columns = np.flatnonzero(part.used())
    n, near = columns.size, int((columns < common).sum())
    place = tables.add("column", columns, "uint8_t")
    weight, level = tables.add("weight", part.weight[:, columns]), tables.add("constant", part.constant)
    low, high = (tables.add(f"{w}_common", r[0, columns[:near]]) for w, r in _ends(part.range))
    far_low, far_high = (tables.add(f"{w}_ahead", r[:, columns[near:]]) for w, r in _ends(part.range))
    body = "    /* a line: constant and weights, each feature held within the range seen in training */\n"
    body += f"    const float *w = {weight} + s * {n};\n    float sum = {level}[s];\n    int j;\n"
    if near:
        body += f"    for (j = 0; j < {near}; j++)\n"
        body += f"        sum += w[j] * zw_within(x[{place}[j]], {low}[j], {high}[j]);\n"
    if n > near:
        k = f"s * {n - near} + j - {near}"
        body += f"    for (j = {near}; j < {n}; j++)\n"
        body += f"        sum += w[j] * zw_within(x[{place}[j]], {far_low}[{k}], {far_high}[{k}]);\n"
    if not n:
        body = f"    (void)x;\n    return {level}[s];\n}}\n"
        return head + body
    return f"{head}{body}    return sum;\n}}\n"


def _ends(ranges: Range) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
    return ("low", ranges.low), ("high", ranges.high)


def _held(ranges: Range, width: int, common: int, tables: Tables) -> str:
    """C that puts all features, held within their range, into h[]."""
    low, high = (tables.add(f"{w}_near", r[0, :common]) for w, r in _ends(ranges))
    text = f"    float h[{width}];\n    int j;\n    for (j = 0; j < {common}; j++)\n"
    text += f"        h[j] = zw_within(x[j], {low}[j], {high}[j]);\n"
    if width > common:
        low, high = (tables.add(f"{w}_far", r[:, common:]) for w, r in _ends(ranges))
        k = f"s * {width - common} + j - {common}"
        text += f"    for (j = {common}; j < {width}; j++)\n"
        text += f"        h[j] = zw_within(x[j], {low}[{k}], {high}[{k}]);\n"
    return text


def _curves(part: Curves, head: str, tables: Tables) -> str:
    n = part.feature.size
    t = {w: tables.add(f"curve_{w}", getattr(part, w)) for w in ("knot", "spread", "offset", "low", "high", "weight")}
    place = tables.add("curve_feature", part.feature, "uint8_t")
    return f"""{head}    /* smooth curves: rounded hinges u * u / (1 + u) beyond a knot */
    float sum = 0.0f;
    int j;
    for (j = 0; j < {n}; j++) {{
        float u = (x[{place}[j]] - {t["knot"]}[j]) / {t["spread"]}[j];
        float bend = u > 0.0f ? u * u / (1.0f + u) : 0.0f;
        sum += {t["weight"]}[s * {n} + j] * zw_within(bend - {t["offset"]}[j], {t["low"]}[j], {t["high"]}[j]);
    }}
    return sum;
}}
"""


def _nodes(part: Trees, roots: Sequence[int], tables: Tables) -> tuple[str, str, str, list[int], dict[int, int]]:
    """Tables of the trees' questions: feature, threshold (or the leaf's value) and next node; roots; rows of leaves."""
    feature: list[int] = []
    limit: list[float] = []
    nearer: list[int] = []
    first: list[int] = []
    leaf: dict[int, int] = {}
    wide = part.leaf.shape[1] > 1
    for root in roots:
        nodes = part.nodes(int(root))
        place = {node: k for k, node in enumerate(nodes)}
        first.append(len(feature))
        for node in nodes:
            inner = part.feature[node] >= 0
            feature.append(int(part.feature[node]) if inner else 255)
            if inner:
                limit.append(float(part.threshold[node]))
                nearer.append(place[int(root) + int(part.left[node])])
                continue
            limit.append(0.0 if wide else float(part.leaf[node, 0]))
            leaf[node] = len(leaf)
            nearer.append(leaf[node] if wide else 0)
    names = (
        tables.add("node_feature", feature, "uint8_t"), tables.add("node_number", limit),
        tables.add("node_next", nearer, small(max(nearer, default=0))),
    )  # fmt: skip
    return *names, first, leaf


def _trees(part: Trees, head: str, tables: Tables) -> str:
    every = list(dict.fromkeys(int(root) for roots in part.roots for root in roots))
    if not every:
        level = tables.add("tree_constant", part.constant)
        return f"{head}    (void)x;\n    return {level}[s];\n}}\n"
    feature, limit, nearer, first, leaf = _nodes(part, every, tables)
    place = dict(zip(every, first))
    asked = [place[int(root)] for roots in part.roots for root in roots]
    shared = all(np.array_equal(part.roots[0], roots) for roots in part.roots)
    if shared:
        asked = [place[int(root)] for root in part.roots[0]]
        span = f"    int t, last = {len(asked)};\n    for (t = 0; t < last; t++) {{\n"
    else:
        edges = tables.add("tree_first", np.cumsum([0, *map(len, part.roots)]), "uint16_t")
        span = f"    int t, last = {edges}[s + 1];\n    for (t = {edges}[s]; t < last; t++) {{\n"
    root = tables.add("tree_root", asked, small(max(asked)))
    value = f"{limit}[node]"
    if part.leaf.shape[1] > 1:
        rows = tables.add("leaf_value", part.leaf[list(leaf)])
        value = f"{rows}[{nearer}[node] * {part.leaf.shape[1]} + s]"
    level = f"{tables.add('tree_constant', part.constant)}[s]" if part.constant.any() else "0.0f"
    test = ">=" if part.reaching else ">"
    unused = "    (void)s;\n" if shared and part.leaf.shape[1] == 1 and level == "0.0f" else ""
    return f"""{head}    /* trees: answer questions from the root down, add the value of the leaf */
    float sum = {level};
{unused}{span}        unsigned long root = {root}[t], node = root;
        while ({feature}[node] != 255)
            node = root + {nearer}[node] + (x[{feature}[node]] {test} {limit}[node] ? 1u : 0u);
        sum += {value};
    }}
    return sum;
}}
"""


def _bent(part: BentLines, head: str, width: int, common: int, tables: Tables) -> str:
    horizons, k = part.line.shape[1:]
    feature, limit, nearer, _, leaf = _nodes(_with_leaves(part, horizons, width), [0], tables)
    line = tables.add("leaf_line", part.line[list(leaf)])
    chosen = tables.add("leaf_feature", part.chosen, "uint8_t")
    return f"""{head}    /* a tree whose leaf changes the line's slopes on a few features */
{_held(part.range, width, common, tables)}    unsigned long node = 0;
    const float *line;
    float sum;
    while ({feature}[node] != 255)
        node = {nearer}[node] + (h[{feature}[node]] > {limit}[node] ? 1u : 0u);
    line = {line} + ({nearer}[node] * {horizons} + s) * {k};
    sum = line[{k - 1}];
    for (j = 0; j < {k - 1}; j++)
        sum += line[j] * h[{chosen}[j]];
    return sum;
}}
"""


def _with_leaves(part: BentLines, horizons: int, width: int) -> Trees:
    empty = np.zeros(horizons)
    wide = np.zeros((part.feature.size, 2), np.float32)  # several columns: leaves are rows of a table of their own
    return Trees(part.feature, part.threshold, part.left, wide, (), empty, empty, width)


def _regimes(part: Regimes, head: str, width: int, common: int, tables: Tables) -> str:
    count = part.offset.size
    n = part.bent.size
    asked = np.flatnonzero((part.gate != 0).any(axis=1))
    gate, place = tables.add("gate", part.gate[asked].T), tables.add("gate_feature", asked, "uint8_t")
    offset, bends = tables.add("gate_offset", part.offset), tables.add("bend", part.bends)
    bent = tables.add("bend_feature", part.bent, "uint8_t")
    return f"""{head}    /* regimes: how much the moment is like each (a softmax), and what each adds to the line */
{_held(part.range, width, common, tables)}    float score[{count}], most = -3.0e38f, total = 0.0f, sum = 0.0f;
    int k;
    for (k = 0; k < {count}; k++) {{
        score[k] = {offset}[k];
        for (j = 0; j < {asked.size}; j++)
            score[k] += {gate}[k * {asked.size} + j] * h[{place}[j]];
        most = score[k] > most ? score[k] : most;
    }}
    for (k = 0; k < {count}; k++) {{
        const float *bend = {bends} + (s * {count} + k) * {n + 1};
        float value = bend[{n}], share = expf(score[k] - most);
        for (j = 0; j < {n}; j++)
            value += bend[j] * h[{bent}[j]];
        sum += share * value;
        total += share;
    }}
    return sum / total;
}}
"""


def _network(part: Network, head: str, width: int, tables: Tables) -> str:
    hidden = part.out.shape[1]
    t = {w: tables.add(f"net_{w}", getattr(part, w)) for w in ("centre", "scale", "inner", "threshold", "out")}
    most = number(part.most)
    deep = ""
    if part.deep is not None and part.deep_threshold is not None:
        weight, limit = tables.add("net_deep", part.deep), tables.add("net_deep_threshold", part.deep_threshold)
        deep = f"""    for (j = 0; j < {hidden}; j++)
        first[j] = layer[j] > 0.0f ? layer[j] : 0.0f;
    for (k = 0; k < {hidden}; k++) {{
        layer[k] = {limit}[k];
        for (j = 0; j < {hidden}; j++)
            layer[k] += first[j] * {weight}[j * {hidden} + k];
    }}
"""
    first = f", first[{hidden}]" if deep else ""
    return f"""{head}    /* a small network of rectified units on standardised features */
    float layer[{hidden}]{first}, sum = 0.0f;
    int j, k;
    for (k = 0; k < {hidden}; k++)
        layer[k] = {t["threshold"]}[s * {hidden} + k];
    for (j = 0; j < {width}; j++) {{
        float z = zw_within((x[j] - {t["centre"]}[j]) / {t["scale"]}[j], -{most}, {most});
        for (k = 0; k < {hidden}; k++)
            layer[k] += z * {t["inner"]}[j * {hidden} + k];
    }}
{deep}    for (k = 0; k < {hidden}; k++)
        sum += layer[k] > 0.0f ? layer[k] * {t["out"]}[s * {hidden} + k] : 0.0f;
    return sum;
}}
"""
