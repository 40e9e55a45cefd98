/* CityMap: a Dash component without a build step (React is global in Dash). The map is made once; a change of
   properties repaints it. Nothing but text nodes is filled with names from data. */
(function () {
  "use strict";
  const R = window.React;
  const LOOK = {
    light: {
      canvas: "#eaeef3", building: "#dde3e9", park: "#dbe8d6", water: "#c5dcec", walk: "#ffffff", rail: "#c9d1da",
      land: "#eceff3", zoneLine: "rgba(70,88,120,.45)", ink: "#15233d", halo: "#ffffff", free: "#a9b5c3",
      select: "#0b1f44", casing: "#ffffff", alpha: "b4", none: "#8593a6", plain: "rgba(88,104,130,.5)", house: "#c6cbd2",
      border: "rgba(30,45,75,.5)", diverging: ["#b35806", "#e08214", "#fdb863", "#d9dde3", "#b2abd2", "#8073ac", "#542788"],
    },
    dark: {
      canvas: "#0f151d", building: "#1d2732", park: "#16281f", water: "#10293c", walk: "#1c2631", rail: "#2b3744",
      land: "#10161e", zoneLine: "rgba(140,160,190,.4)", ink: "#f3f6fb", halo: "#10161e", free: "#5f6e7e",
      select: "#ffffff", casing: "#10161e", alpha: "b4", none: "#8593a6", plain: "rgba(150,165,190,.45)", house: "#1d2732",
      border: "rgba(20,32,56,.6)", diverging: ["#ffb45c", "#c47a1e", "#7a4f1a", "#39434f", "#514685", "#8473c4", "#c3b3f7"],
    },
  };
  const BLUES = ["#eef4fb", "#cfe1f2", "#a6cbe8", "#74acd8", "#4589c4", "#2566a8", "#123f7f", "#0a2458"];
  const CONGESTION = ["#f79e32", "#e34a1e", "#a50f15"];
  const WIDTH = [4.8, 4.0, 3.2, 2.1];
  /* What decides about all that lies below outlines and labels. */
  const BELOW = ["step", "layer", "theme", "mode", "edits", "zoneValues", "linkValues", "scale", "streets"];
  const store = new Map();
  const formats = new Map();

  /* A number as the page's language writes it. */
  function said(value, digits) {
    const key = `${document.documentElement.lang} ${digits}`;
    if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(document.documentElement.lang || "en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    return formats.get(key).format(value);
  }

  function get(url, how) {
    if (!url) return Promise.resolve(null);
    if (!store.has(url)) {
      const answer = fetch(url).then((r) => {
        if (!r.ok) throw new Error(`${url}: ${r.status}`);
        if (how === "bytes") return r.arrayBuffer().then((b) => new Uint8Array(b));
        return how === "city" ? r.json().then(unpack) : r.json();
      });
      answer.catch(() => store.delete(url));
      store.set(url, answer);
    }
    return store.get(url);
  }

  /* A city as it is sent -> what is known of zones and links, and their shapes, once: what was sent is then forgotten. */
  function unpack(raw) {
    const shapes = (flats) => window.zonewiseShapes(flats, raw.origin, raw.scale);
    return {
      zones: raw.zones.map(({ rings, ...rest }) => rest),
      links: raw.links.map(({ line, ...rest }) => rest),
      shapes: {
        links: shapes(raw.links.map((l) => l.line)),
        zones: raw.zones.map((z) => shapes(z.rings)),
        base: raw.base.map((b) => ({ kind: b.kind, shapes: shapes(b.lines) })),
      },
      bounds: raw.bounds,
      sensors: raw.sensors || [],
    };
  }

  function hatch(pen, colour) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const p = tile.getContext("2d");
    p.strokeStyle = colour;
    p.globalAlpha = 0.55;
    p.lineWidth = 1.2;
    p.beginPath();
    for (const d of [-8, 0, 8]) {
      p.moveTo(d, 8);
      p.lineTo(d + 8, 0);
    }
    p.stroke();
    return pen.createPattern(tile, "repeat");
  }

  const classOf = (share) => (share < 0.35 ? 3 : share < 0.5 ? 2 : share < 0.68 ? 1 : 0);

  /* The hour of the raster that is to be drawn, or -1. */
  function periodOf(state, props) {
    if (!props.streets || !state.air || props.mode === "edit" || props.zoneValues) return -1;
    return state.air.period(props.layer, props.step || 0, state.day.now);
  }

  /* The whole look of one moment, from the properties. */
  function painter(state, props) {
    const look = LOOK[props.theme === "dark" ? "dark" : "light"];
    const { city, day, bytes } = state;
    const step = props.step || 0;
    const layer = day && day.layers[props.layer] ? day.layers[props.layer] : null;
    const period = periodOf(state, props);
    const edits = props.edits || {};
    const closed = new Set(edits.closed || []);
    const changed = new Set(edits.changed || []);
    const area = new Set(edits.zones || []);
    const zoom = state.map.getZoom();
    const grow = Math.max(0.55, Math.min(1.6, (zoom - 11.6) / 2.6));
    const values = props.zoneValues || null;
    const links = props.linkValues || null;
    const scale = props.scale || null;
    const selected = city.zones.findIndex((z) => z.id === props.selectedZone);
    const blue = (v, low, high) => BLUES[Math.max(0, Math.min(7, Math.floor(((v - low) / (high - low)) * 8)))] + look.alpha;
    /* Class of a difference, 0 orange to 6 purple; `sign` says which way is purple. */
    const classOfChange = (v) => Math.max(0, Math.min(6, Math.round(3 + ((scale.sign || 1) * v * 3) / scale.limit)));
    const nothing = (pen) => (state.hatch = state.hatch || hatch(pen, look.none));
    const share = (i) => {
      if (!bytes) return 255;
      return bytes[i * day.steps + step];
    };
    const kinds = {
      zone(i, pen) {
        if (values) {
          const v = values[city.zones[i].id];
          return v === undefined || v === null ? nothing(pen) : look.diverging[classOfChange(v)] + "d0";
        }
        if (props.mode === "edit") return area.has(city.zones[i].id) ? "rgba(32,115,80,.26)" : null;
        if (!layer || period >= 0) return null;
        const v = layer.values[i][step];
        return v === null ? nothing(pen) : blue(v, layer.low, layer.high);
      },
      link(i) {
        const width = city.links[i].c;
        if (props.mode === "edit") return width * 10 + (closed.has(i) ? 6 : changed.has(i) ? 7 : 5);
        if (links) {
          const v = links[String(i)];
          return width * 100 + 1000 + (v === undefined ? 3 : classOfChange(v));
        }
        if (values) return width * 10 + 5;
        if (period >= 0) return -1;
        const s = share(i);
        return width * 10 + (s === 255 ? 0 : classOf(s / 100));
      },
      style(key) {
        if (key >= 1000) {
          const c = key % 100;
          const w = WIDTH[Math.floor((key - 1000) / 100)] * grow;
          return { width: c === 3 ? Math.max(0.8, w * 0.6) : w + 1, colour: c === 3 ? look.plain : look.diverging[c], order: Math.abs(c - 3) };
        }
        const minor = Math.floor(key / 10);
        const kind = key % 10;
        const w = minor === 3 && zoom < 13.4 ? 1 : WIDTH[minor] * grow;
        if (kind === 6) return { width: w + 2.5, colour: "#be123c", order: 9 };
        if (kind === 7) return { width: w + 1.8, colour: "#d97706", order: 8 };
        if (kind === 5) return { width: w * (props.mode === "edit" ? 1 : 0.7), colour: props.mode === "edit" ? look.free : look.plain, order: 0 };
        return { width: w, colour: kind ? CONGESTION[kind - 1] : look.free, order: kind };
      },
    };
    const text = (i) => {
      if (values && scale && scale.labels) {
        const v = values[city.zones[i].id];
        if (v === undefined || v === null) return "·";
        const size = said(Math.abs(v), scale.digits);
        return `${Number(Math.abs(v).toFixed(scale.digits)) === 0 ? "" : v > 0 ? "+" : "−"}${size}`;
      }
      if (props.mode === "edit" || values || !layer) return city.zones[i].id;
      const v = layer.values[i][step];
      return v === null ? "–" : said(v, layer.digits);
    };
    const compare = Boolean(values || links);
    return {
      base: {
        land: { fill: look.land }, park: { fill: look.park }, water: { fill: look.water },
        walk: { stroke: look.walk, width: 1 }, rail: { stroke: look.rail, width: 0.8 }, building: { fill: period < 0 ? look.building : look.house, above: true },
      },
      raster: period < 0 ? null : { picture: state.air.picture(props.layer, period, { colours: BLUES, low: layer.low, high: layer.high }), corners: state.air.corners, alpha: 0.82 },
      zoneFill: kinds.zone, zoneLine: period < 0 ? look.zoneLine : look.border, linkKey: kinds.link, linkStyle: kinds.style,
      name: look === LOOK.dark ? "dark" : "light", linkRest: compare || props.mode === "edit" || period >= 0 ? null : (i) => city.links[i].c * 10,
      casing: compare ? null : look.casing, halo: look.halo, ink: look.ink, markColour: "#be123c",
      dots: city.sensors, dotColour: "#16243d",
      marks: props.mode === "edit" ? [...closed].filter((i) => i < city.links.length) : [],
      outlines: [
        area.size && props.mode === "edit" ? { zones: city.zones.flatMap((z, i) => (area.has(z.id) ? [i] : [])), colour: "#207350", width: 2.4 } : null,
        selected >= 0 ? { zones: [selected], colour: look.select, halo: look.halo, width: 3 } : null,
      ].filter(Boolean),
      labels: props.layer === "off" && props.mode !== "edit" && !compare ? [] : city.zones.map((z, i) => ({ at: z.at, text: text(i), big: i === selected })),
    };
  }

  /* Tooltip as text nodes: names come from OpenStreetMap and are never read as HTML. */
  function tipFor(state, props, hit, latlng) {
    const { city, day, bytes } = state;
    const words = props.words;
    const box = document.createElement("div");
    const line = (what, words) => {
      const node = document.createElement(what);
      node.textContent = words;
      box.appendChild(node);
    };
    const step = props.step || 0;
    const period = periodOf(state, props);
    if (period >= 0) {
      const layer = day.layers[props.layer];
      const v = state.air.value(props.layer, period, ...state.layer.inPicture(latlng, state.air.corners));
      const street = hit.link === null ? "" : city.links[hit.link].n || words.unnamed;
      line("strong", street || `${city.zones[hit.zone].id} ${city.zones[hit.zone].name}`);
      if (v !== null) line("span", `${layer.name} ${said(v, layer.digits)} ${layer.unit}`);
      if (v !== null) line("span", words.here.replace("{time}", state.air.words(period)));
      return box;
    }
    if (hit.link !== null) {
      const link = city.links[hit.link];
      line("strong", link.n || words.unnamed);
      const change = props.linkValues && props.linkValues[String(hit.link)];
      if (props.linkValues) line("span", change === undefined ? words.same : `${change > 0 ? "+" : "−"}${said(Math.abs(change), props.scale.digits)} ${props.scale.unit}`);
      else if (bytes && props.mode !== "edit") {
        const s = bytes[hit.link * day.steps + step];
        line("span", s === 255 ? words.empty : `${Math.round((s / 100) * link.v)} km/h, ${s} ${words.share}${step >= day.now ? `, ${words.usual}` : ""}`);
      } else line("span", words.link.replace("{link}", hit.link).replace("{speed}", Math.round(link.v)));
    } else {
      const zone = city.zones[hit.zone];
      line("strong", `${zone.id} ${zone.name}`);
      if (props.zoneValues) {
        const v = props.zoneValues[zone.id];
        line("span", v === undefined || v === null ? words.nothing : `${v > 0 ? "+" : v < 0 ? "−" : ""}${said(Math.abs(v), props.scale.digits)} ${props.scale.unit}`);
      } else if (day && day.layers[props.layer] && props.mode !== "edit") {
        const layer = day.layers[props.layer];
        const v = layer.values[hit.zone][step];
        line("span", v === null ? `${layer.name}: ${words.nosensor}` : `${layer.name} ${said(v, layer.digits)} ${layer.unit}${step >= day.now ? `, ${layer.ahead}` : `, ${words.observed}`}`);
      }
    }
    return box;
  }

  /* Polygon and line: a click a corner; Enter, a double click or (polygon) the first corner ends it; Escape drops it. */
  function cornerTool(map, kind, done) {
    const corners = [];
    const closed = kind === "polygon";
    const make = closed ? L.polygon : L.polyline;
    const shape = make([], { color: "#1d5fae", weight: 2, dashArray: "6 4", fillOpacity: 0.12, interactive: false }).addTo(map);
    const near = (a, b) => map.latLngToContainerPoint(a).distanceTo(map.latLngToContainerPoint(b)) < 9;
    const stop = () => {
      map.off(handlers);
      document.removeEventListener("keydown", key);
      map.doubleClickZoom.enable();
      shape.remove();
      map.getContainer().style.cursor = "";
    };
    const end = () => {
      stop();
      done(corners.length > (closed ? 2 : 1) ? corners.map((c) => [c.lng, c.lat]) : null);
    };
    const handlers = {
      click(e) {
        if (closed && corners.length > 2 && near(e.latlng, corners[0])) return end();
        if (!corners.length || !near(e.latlng, corners[corners.length - 1])) corners.push(e.latlng);
        shape.setLatLngs(corners);
      },
      mousemove(e) {
        if (corners.length) shape.setLatLngs([...corners, e.latlng]);
      },
      dblclick: end,
    };
    const key = (e) => {
      if (e.key === "Enter") end();
      else if (e.key === "Escape") {
        corners.length = 0;
        end();
      } else if (e.key === "Backspace") {
        corners.pop();
        shape.setLatLngs(corners);
      }
    };
    map.doubleClickZoom.disable();
    map.getContainer().style.cursor = "crosshair";
    map.on(handlers);
    document.addEventListener("keydown", key);
    return stop;
  }

  /* Lasso: drag around the streets, with a mouse, a pen or a finger; Escape drops it. */
  function lassoTool(map, done) {
    const box = map.getContainer();
    const points = [];
    let down = false;
    const shape = L.polygon([], { color: "#1d5fae", weight: 2, dashArray: "6 4", fillOpacity: 0.12, interactive: false }).addTo(map);
    const stop = () => {
      box.removeEventListener("pointerdown", press, true);
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", release);
      document.removeEventListener("keydown", key);
      map.dragging.enable();
      shape.remove();
      box.style.cursor = box.style.touchAction = "";
    };
    const end = (ring) => {
      stop();
      done(ring);
    };
    const press = (e) => {
      if (e.target.closest(".leaflet-control")) return;
      down = true;
      move(e);
    };
    const move = (e) => {
      if (!down) return;
      const last = points[points.length - 1];
      const at = map.mouseEventToLatLng(e);
      if (last && map.latLngToContainerPoint(last).distanceTo(map.latLngToContainerPoint(at)) < 3) return;
      points.push(at);
      shape.setLatLngs(points);
    };
    const release = () => {
      if (down) end(points.length > 3 ? points.map((c) => [c.lng, c.lat]) : null);
    };
    const key = (e) => {
      if (e.key === "Escape") end(null);
    };
    map.dragging.disable();
    box.style.cursor = "crosshair";
    box.style.touchAction = "none";
    box.addEventListener("pointerdown", press, true);
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", release);
    document.addEventListener("keydown", key);
    return stop;
  }

  function build(element, state, latest) {
    const props = latest.current;
    const { city } = state;
    const [west, south, east, north] = city.bounds;
    const bounds = [[south, west], [north, east]];
    const map = (state.map = L.map(element, { zoomSnap: 0.05, zoomDelta: 0.5, attributionControl: false, zoomControl: false, boxZoom: false }));
    const narrow = () => element.clientWidth < 520;
    const fit = () => map.fitBounds(bounds, { animate: false, paddingTopLeft: narrow() ? [8, 52] : [18, 60], paddingBottomRight: narrow() ? [8, 102] : [18, 24] });
    fit();
    L.control.zoom({ position: "bottomright", zoomInTitle: props.words.zoomin, zoomOutTitle: props.words.zoomout }).addTo(map);
    let touched = false;
    map.on("dragstart", () => (touched = true));
    element.addEventListener("wheel", () => (touched = true), { passive: true });
    state.watch = new ResizeObserver(() => {
      map.invalidateSize({ animate: false });
      if (!touched) fit();
    });
    state.watch.observe(element);
    const layer = (state.layer = window.zonewiseCityLayer());
    layer.paint = painter(state, props);
    layer.addTo(map);
    layer.setData(city.shapes);
    map.on("zoomend", () => layer.setPaint(painter(state, latest.current)));
    const tip = L.tooltip({ direction: "top", offset: [0, -8], className: "map-tip", opacity: 1 });
    map.on("mousemove", (e) => {
      if (state.tool) return;
      const hit = layer.hit(e.latlng);
      element.style.cursor = hit.zone !== null || hit.link !== null ? "pointer" : "";
      if (hit.zone === null && hit.link === null) return map.closeTooltip(tip);
      tip.setContent(tipFor(state, latest.current, hit, e.latlng)).setLatLng(e.latlng);
      map.openTooltip(tip);
    });
    map.on("mouseout", () => map.closeTooltip(tip));
    map.on("click", (e) => {
      if (state.tool || Date.now() < (state.quiet || 0)) return;
      const hit = layer.hit(e.latlng);
      const now = latest.current;
      if (now.mode === "edit") {
        if (hit.link !== null) now.setProps({ clickedLink: { link: hit.link, name: city.links[hit.link].n, n: Date.now() } });
      } else if (hit.zone !== null) now.setProps({ selectedZone: city.zones[hit.zone].id });
    });
    element.addEventListener("keydown", (e) => {
      const turn = e.key === "n" ? 1 : e.key === "p" ? -1 : 0;
      if (!turn || latest.current.mode === "edit") return;
      const at = city.zones.findIndex((z) => z.id === latest.current.selectedZone);
      latest.current.setProps({ selectedZone: city.zones[(at + turn + city.zones.length) % city.zones.length].id });
    });
    element.dataset.ready = "1";
    element.dataset.readyMs = String(Math.round(performance.now()));
    /* A city pixel of a link's middle, for tests: where to click. */
    element.zonewise = {
      linkPoint: (i) => {
        const [lon, lat] = layer.linkMiddle(i);
        const p = map.latLngToContainerPoint([lat, lon]);
        return [p.x, p.y];
      },
      zonePoint: (i) => {
        const p = map.latLngToContainerPoint([city.zones[i].at[1], city.zones[i].at[0]]);
        return [p.x, p.y];
      },
      frames: () => layer.frames,
      zones: () => city.zones.length,
    };
  }

  function CityMap(props) {
    const element = R.useRef(null);
    const kept = R.useRef({});
    const latest = R.useRef(props);
    /* The time bar is ahead of Dash while the slider moves: its step counts until Dash has heard of it. */
    if (kept.current.step === props.step) kept.current.step = undefined;
    latest.current = kept.current.step === undefined ? props : { ...props, step: kept.current.step };
    R.useEffect(() => {
      const follow = (e) => {
        kept.current.step = e.detail;
        latest.current = { ...latest.current, step: e.detail };
        repaint();
      };
      window.addEventListener("zonewise:step", follow);
      return () => window.removeEventListener("zonewise:step", follow);
    }, []);
    R.useEffect(() => {
      let gone = false;
      const state = kept.current;
      const font = document.fonts ? document.fonts.load("650 13px Inter").catch(() => null) : null;
      Promise.all([get(props.geoUrl, "city"), get(props.dayUrl), get(props.linksUrl, "bytes"), font])
        .then(([geo, day, bytes]) => {
          if (gone) return;
          Object.assign(state, { city: geo, day, bytes, shown: latest.current.dayUrl });
          build(element.current, state, latest);
          repaint();
          /* Once the frame with the whole map has been shown. */
          requestAnimationFrame(() => setTimeout(() => {
            if (!element.current) return;
            element.current.dataset.drawnMs = String(Math.round(performance.now()));
            latest.current.setProps({ painted: true });
          }));
        })
        .catch((error) => {
          if (gone) return;
          const note = document.createElement("p");
          note.className = "map-error";
          note.textContent = latest.current.words.failed.replace("{error}", error.message);
          element.current.appendChild(note);
          element.current.dataset.failed = "1";
        });
      return () => {
        gone = true;
        if (state.tool) state.tool.stop();
        if (state.watch) state.watch.disconnect();
        if (state.map) state.map.remove();
        kept.current = {};
      };
    }, []);
    /* Newer readings of the same city. */
    R.useEffect(() => {
      const state = kept.current;
      const { dayUrl, linksUrl } = props;
      if (!state.city || state.shown === dayUrl) return;
      Promise.all([get(dayUrl), get(linksUrl, "bytes")])
        .then(([day, bytes]) => {
          if (kept.current !== state || latest.current.dayUrl !== dayUrl) return;
          store.delete(state.shown);
          Object.assign(state, { day, bytes, shown: dayUrl, air: null, asked: null });
          repaint();
        })
        .catch(() => null);
    }, [props.dayUrl]);
    function repaint() {
      const state = kept.current;
      const now = latest.current;
      if (!state.layer) return;
      if (now.streets && now.airUrl && !state.asked) {
        state.asked = get(now.airUrl).then((raw) => {
          state.air = window.zonewiseAirRaster(raw);
          if (state.layer && kept.current === state) repaint();
        });
        state.asked.catch(() => (state.asked = null));
      }
      const raster = periodOf(state, now) >= 0;
      const restyle = state.theme !== now.theme || state.raster !== raster;
      if (restyle) state.hatch = null;
      state.theme = now.theme;
      state.raster = raster;
      const below = [state.day, state.bytes, state.air, ...BELOW.map((key) => now[key])];
      const same = Boolean(state.below) && below.every((value, i) => Object.is(value, state.below[i]));
      state.below = below;
      state.layer.setPaint(painter(state, now), restyle, same);
      element.current.dataset.step = String(now.step || 0);
      if (state.day) element.current.dataset.now = String(state.day.now);
      element.current.dataset.zone = now.selectedZone || "";
      element.current.dataset.layer = now.layer || "";
      const period = periodOf(state, now);
      const hour = period >= 0 ? state.air.words(period) : now.streets && state.air ? now.words.ahead : "";
      element.current.dataset.hour = period >= 0 ? hour : "";
      if (hour !== (now.hour || "")) now.setProps({ hour });
      const wanted = now.mode === "edit" && ["polygon", "lasso", "line"].includes(now.drawMode) ? now.drawMode : null;
      if (state.tool && state.tool.kind !== wanted) {
        state.tool.stop();
        state.tool = null;
      }
      if (wanted && !state.tool) {
        const finished = (ring) => {
          /* The click that ends a drag or a line is still on its way: it must not choose a street. */
          state.quiet = Date.now() + 150;
          setTimeout(() => (state.tool = null));
          const found = ring && wanted !== "line" ? state.layer.within(ring) : { links: [], zones: [] };
          const drawn = ring ? { kind: wanted, ring, links: found.links, zones: found.zones.map((i) => state.city.zones[i].id), n: Date.now() } : null;
          latest.current.setProps(drawn ? { drawMode: "click", drawn } : { drawMode: "click" });
        };
        state.tool = { kind: wanted, stop: wanted === "lasso" ? lassoTool(state.map, finished) : cornerTool(state.map, wanted, finished) };
      }
      const lines = now.mode === "edit" && now.edits && now.edits.lines ? now.edits.lines : [];
      const said = JSON.stringify(lines);
      if (state.lines !== said) {
        state.lines = said;
        if (state.drawnLines) state.drawnLines.remove();
        state.drawnLines = L.layerGroup(lines.map((line) => L.polyline(line.map(([x, y]) => [y, x]), { color: "#1d5fae", weight: 5, dashArray: "2 8", interactive: false }))).addTo(state.map);
      }
    }
    R.useEffect(repaint);
    return R.createElement("div", {
      id: props.id, ref: element, className: "citymap", role: "application", tabIndex: 0,
      "aria-label": props.ariaLabel, style: { background: LOOK[props.theme === "dark" ? "dark" : "light"].canvas },
    });
  }

  window.zonewise = Object.assign(window.zonewise || {}, { CityMap });
})();
