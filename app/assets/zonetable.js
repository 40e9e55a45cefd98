/* ZoneTable: the accessible twin of the map. One native table: headings sort it, arrow keys walk along its rows, and
   beyond `PAGE` rows it has pages. Rows come as data; names are text nodes, and are never read as HTML. */
(function () {
  "use strict";
  const R = window.React;
  const h = R.createElement;
  const PAGE = 50;
  const TONES = ["high", "some", "low", "none"];
  const isNumber = (v) => v !== null && v !== undefined;
  const tone = (p) => TONES[!isNumber(p) ? 3 : p >= 0.5 ? 0 : p >= 0.1 ? 1 : 2];

  /* What a column is sorted by, and which way first. */
  const BY = {
    zone: { of: (row) => row.id, first: 1 },
    now: { of: (row) => row.now, first: -1 },
    peak: { of: (row) => row.peak, first: -1 },
    at: { of: (row) => row.at, first: 1 },
    chance: { of: (row) => row.chance, first: -1 },
    model: { of: (row) => row.model, first: 1 },
  };

  /* Rows in the order asked for: those without a value come last either way, and equals keep the server's order. */
  function sorted(rows, sort) {
    if (!sort) return rows;
    const { of } = BY[sort.by];
    const order = (a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
    const known = rows.filter((row) => isNumber(of(row)) && of(row) !== "");
    const unknown = rows.filter((row) => !isNumber(of(row)) || of(row) === "");
    return [...known.sort((a, b) => sort.way * order(of(a), of(b))), ...unknown];
  }

  function Band({ row, table }) {
    if (!isNumber(row.peak)) return h("div", { className: "quiet" }, table.words.none);
    const at = (v) => Math.max(0, Math.min(100, (100 * (v - table.low)) / (table.high - table.low)));
    const [low, high] = [at(row.low), at(row.high)];
    return h("div", { className: "bar" },
      h("span", { className: "bar-band", style: { left: `${low}%`, width: `${Math.max(1, high - low)}%` } }),
      h("span", { className: "bar-peak", style: { left: `${at(row.peak)}%` } }),
      isNumber(table.limit) ? h("span", { className: "bar-limit", style: { left: `${at(table.limit)}%` } }) : null,
      h("span", { className: "unseen" }, table.words.range.replace("{low}", Math.round(row.low)).replace("{high}", Math.round(row.high))));
  }

  const Row = R.memo(({ row, table, chosen, number, choose }) => {
    const said = (v) => (isNumber(v) ? number.format(v) : "–");
    return h("tr", { className: chosen ? "selected" : "", "data-zone": row.id },
      h("th", { scope: "row" },
        h("button", { type: "button", "aria-pressed": chosen, onClick: () => choose(row.id) },
          h("span", { className: "code" }, row.id), h("span", null, row.name))),
      h("td", { className: "number" }, said(row.now)),
      h("td", { className: "wide" }, h(Band, { row, table })),
      h("td", { className: "number" }, said(row.peak)),
      h("td", { className: "number wide" }, row.at || "–"),
      isNumber(table.limit) ? h("td", { className: "number" }, h("span", { className: `chance chance-${tone(row.chance)}` }, row.words)) : null,
      h("td", { className: "wide" }, h("span", { className: `badge badge-${row.model || "none"}` }, table.words.models[row.model] || "–")));
  });

  function ZoneTable(props) {
    const { table, selected } = props;
    const [sort, setSort] = R.useState(null);
    const [page, setPage] = R.useState(null);
    const element = R.useRef(null);
    const focus = R.useRef(null);
    const rows = R.useMemo(() => sorted(table.rows, sort), [table.rows, sort]);
    const number = R.useMemo(() => new Intl.NumberFormat(table.language, { minimumFractionDigits: table.digits, maximumFractionDigits: table.digits }), [table.language, table.digits]);
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    const place = rows.findIndex((row) => row.id === selected);
    const shown = Math.min(page === null ? Math.max(0, Math.floor(place / PAGE)) : page, pages - 1);
    const latest = R.useRef(props);
    latest.current = props;
    const choose = R.useCallback((zone) => latest.current.setProps({ chosen: zone }), []);

    /* Another zone, or another order: its page is turned to, and its row is brought into view within the table's box. */
    R.useEffect(() => setPage(null), [selected, sort]);
    R.useEffect(() => {
      const box = element.current && element.current.closest(".table-box");
      const row = element.current && element.current.querySelector("tr.selected");
      if (!row || !box || box.scrollHeight <= box.clientHeight || row.contains(document.activeElement)) return;
      const [outer, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
      const under = element.current.querySelector("thead").getBoundingClientRect().height;
      if (inner.top < outer.top + under) box.scrollTop -= outer.top + under - inner.top;
      else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
    }, [selected, sort]);
    R.useEffect(() => {
      if (focus.current === null) return;
      const buttons = element.current.querySelectorAll("tbody button");
      const wanted = focus.current;
      focus.current = null;
      if (buttons.length) buttons[Math.min(wanted, buttons.length - 1)].focus();
    });

    const walk = (e) => {
      const buttons = [...element.current.querySelectorAll("tbody button")];
      const here = buttons.indexOf(document.activeElement);
      const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1 }[e.key];
      if (here < 0 || to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
      e.preventDefault();
      if (to >= 0 && to < buttons.length) buttons[to].focus();
      else if (to < 0 && shown > 0) [focus.current] = [PAGE - 1, setPage(shown - 1)];
      else if (to >= buttons.length && shown < pages - 1) [focus.current] = [0, setPage(shown + 1)];
    };
    const turn = (by) => {
      const { first } = BY[by];
      setSort(!sort || sort.by !== by ? { by, way: first } : sort.way === first ? { by, way: -first } : null);
    };
    const { words } = table;
    const heading = (by, className) => {
      const here = sort && sort.by === by;
      return h("th", { scope: "col", className, "aria-sort": here ? (sort.way > 0 ? "ascending" : "descending") : undefined },
        h("button", { type: "button", className: "sort", onClick: () => turn(by) }, words[by],
          h("span", { "aria-hidden": true, className: `sort-mark${here ? (sort.way > 0 ? " up" : " down") : ""}` })));
    };
    const spans = [];
    for (let k = 0; k < pages; k += 1) spans.push([k * PAGE + 1, Math.min((k + 1) * PAGE, rows.length)]);
    const pager = pages < 2 ? null : h("div", { className: "pager" },
      h("button", { type: "button", className: "icon-button", "aria-label": words.before, disabled: shown === 0, onClick: () => setPage(shown - 1) }, h("span", { "aria-hidden": true }, "‹")),
      h("label", null, words.page, " ",
        h("select", { value: String(shown), onChange: (e) => setPage(Number(e.target.value)) },
          spans.map(([a, b], k) => h("option", { key: k, value: String(k) }, `${a}–${b}`)))),
      h("span", { className: "quiet" }, words.of.replace("{count}", rows.length)),
      h("button", { type: "button", className: "icon-button", "aria-label": words.after, disabled: shown === pages - 1, onClick: () => setPage(shown + 1) }, h("span", { "aria-hidden": true }, "›")));
    return h("div", { id: props.id, ref: element, onKeyDown: walk }, pager,
      h("table", { className: "zones" },
        h("caption", { className: "unseen" }, words.caption),
        h("thead", null, h("tr", null, heading("zone"), heading("now", "number"), h("th", { scope: "col", className: "wide" }, words.band),
          heading("peak", "number"), heading("at", "number wide"), isNumber(table.limit) ? heading("chance", "number") : null, heading("model", "wide"))),
        h("tbody", null, rows.slice(shown * PAGE, (shown + 1) * PAGE).map((row) =>
          h(Row, { key: row.id, row, table, number, choose, chosen: row.id === selected })))));
  }

  window.zonewise = Object.assign(window.zonewise || {}, { ZoneTable });
})();
