/* Spark: a day as a small line. Solid to now, dotted after it, a dot where the two meet. */
(function () {
  "use strict";
  const h = window.React.createElement;
  const [W, H, PAD] = [76, 30, 3];

  function Spark(props) {
    const values = props.values || [];
    const known = values.filter((v) => v !== null);
    if (known.length < 2) return null;
    const low = Math.min(...known);
    const span = Math.max(...known) - low || 1;
    const x = (i) => (PAD + (i / (values.length - 1)) * (W - 2 * PAD)).toFixed(1);
    const y = (v) => (H - PAD - ((v - low) / span) * (H - 2 * PAD)).toFixed(1);
    const line = (from, to) => {
      let path = "";
      let pen = false;
      for (let i = from; i < to; i += 1) {
        if (values[i] !== null) path += `${pen ? "L" : "M"}${x(i)},${y(values[i])}`;
        pen = values[i] !== null;
      }
      return path;
    };
    const last = props.now - 1;
    return h("svg", { id: props.id, className: "spark", viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": props.label },
      h("title", null, props.label),
      h("path", { d: line(0, props.now), className: "spark-seen" }),
      h("path", { d: line(Math.max(0, last), values.length), className: "spark-ahead" }),
      values[last] !== null && values[last] !== undefined ? h("circle", { cx: x(last), cy: y(values[last]), r: 2.6, className: "spark-now" }) : null);
  }

  window.zonewise = Object.assign(window.zonewise || {}, { Spark });
})();
