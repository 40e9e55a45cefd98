/* TimeBar: the day under the map. A native range input, so that arrow keys, Home and End work by themselves. Each step
   goes to the map at once, as an event of the window; Dash, which asks every part of the page whether it has changed,
   hears of it when the slider rests. */
(function () {
  "use strict";
  const R = window.React;
  const h = R.createElement;
  const REST_MS = 180;
  const clock = (minutes) => `${String(Math.floor(minutes / 60) % 24).padStart(2, "0")}:${String(Math.round(minutes) % 60).padStart(2, "0")}`;

  function ahead(minutes) {
    const hours = Math.floor(minutes / 60);
    const rest = Math.round(minutes % 60);
    return `+${hours ? `${hours} h ` : ""}${rest || !hours ? `${rest} min` : ""}`.trim();
  }

  function hill(profile, from, to) {
    const n = profile.length;
    const top = Math.max(...profile, 1e-9);
    const x = (i) => ((i / (n - 1)) * 1000).toFixed(1);
    const points = [];
    for (let i = from; i <= to && i < n; i += 1) points.push(`${x(i)},${(40 - 36 * (profile[i] / top)).toFixed(1)}`);
    return points.length ? `M${x(from)},40 L${points.join(" L")} L${x(Math.min(to, n - 1))},40 Z` : "";
  }

  function TimeBar(props) {
    const [playing, setPlaying] = R.useState(false);
    const [step, setStep] = R.useState(props.step || 0);
    const latest = R.useRef({});
    Object.assign(latest.current, { props, step });
    const { steps, now, minutes } = props;
    const move = (k) => {
      const kept = latest.current;
      setStep(k);
      window.dispatchEvent(new CustomEvent("zonewise:step", { detail: k }));
      clearTimeout(kept.rest);
      kept.rest = setTimeout(() => {
        kept.rest = null;
        kept.props.setProps({ step: k });
      }, REST_MS);
    };
    R.useEffect(() => {
      if (!latest.current.rest) setStep(props.step || 0);
    }, [props.step]);
    R.useEffect(() => () => clearTimeout(latest.current.rest), []);
    R.useEffect(() => {
      if (!playing) return undefined;
      const timer = setInterval(() => move((latest.current.step + 1) % latest.current.props.steps), 220);
      return () => clearInterval(timer);
    }, [playing]);
    const seen = step < now;
    const phase = seen ? props.words.observed : `${props.words.forecast}, ${ahead((step - now + 1) * minutes)}`;
    const profile = props.profile && props.profile.length > 1 ? props.profile : [0, 0];
    const ticks = [];
    for (let k = 0; k < steps; k += Math.round(240 / minutes)) ticks.push(k);
    const at = (k) => `${(k / (steps - 1)) * 100}%`;
    return h("div", { id: props.id, className: "timebar", "data-step": String(step) },
      h("button", { type: "button", className: "icon-button", "aria-label": playing ? props.words.pause : props.words.play, "aria-pressed": playing, onClick: () => setPlaying(!playing) },
        h("span", { className: `icon ${playing ? "icon-player-pause" : "icon-player-play"}`, "aria-hidden": true })),
      h("div", { className: "timebar-clock" }, h("strong", null, clock((props.first || 0) + step * minutes)), h("span", { className: seen ? "" : "ahead" }, phase)),
      h("div", { className: "timebar-track" },
        h("svg", { viewBox: "0 0 1000 40", preserveAspectRatio: "none", "aria-hidden": true },
          h("path", { d: hill(profile, 0, now), className: "hill-seen" }), h("path", { d: hill(profile, now, profile.length - 1), className: "hill-ahead" }),
          h("line", { x1: (now / (steps - 1)) * 1000, x2: (now / (steps - 1)) * 1000, y1: 0, y2: 40, className: "hill-now" })),
        h("input", { type: "range", min: 0, max: steps - 1, step: 1, value: step, "aria-label": props.words.slider, style: { "--done": at(step) },
          "aria-valuetext": `${clock((props.first || 0) + step * minutes)}, ${phase}`, onChange: (e) => move(Number(e.target.value)) }),
        h("div", { className: "timebar-ticks", "aria-hidden": true }, ticks.map((k) => h("span", { key: k, style: { left: at(k) } }, clock((props.first || 0) + k * minutes))))));
  }

  window.zonewise = Object.assign(window.zonewise || {}, { TimeBar });
})();
