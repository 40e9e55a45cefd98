/* CityLayer: a city on one canvas. A Leaflet renderer that draws the base map, zones, links and labels.

   Points are projected once to the world plane of zoom 0. Each zoom keeps its own thinned link paths; each view keeps
   the list of what it shows and off-screen pictures of the base map and of all links at rest, so that a step of the
   clock costs two image copies, the zones and the links that differ. Strokes go out in groups of one colour and
   width. */
(function () {
  "use strict";
  const BATCH = 50;
  const THIN_PX = 1.5;

  function project(lon, lat) {
    const s = Math.sin((lat * Math.PI) / 180);
    return [256 * (0.5 + lon / 360), 256 * (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI))];
  }

  /* World point -> lon, lat. */
  function unproject(x, y) {
    return [360 * (x / 256 - 0.5), (Math.atan(Math.sinh(Math.PI * (1 - y / 128))) * 180) / Math.PI];
  }

  /* Flat list of lon, lat -> world points and their box; in whole numbers where `origin` and `scale` are given. */
  function shape(flat, origin, scale, room) {
    const points = room || new Float64Array(flat.length);
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < flat.length; i += 2) {
      const [x, y] = scale ? project(origin[0] + flat[i] / scale, origin[1] + flat[i + 1] / scale) : project(flat[i], flat[i + 1]);
      points[i] = x;
      points[i + 1] = y;
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x > box[2]) box[2] = x;
      if (y > box[3]) box[3] = y;
    }
    return { points, box };
  }

  /* Shapes of many lists: their points lie in one array, which takes a third of the memory of one each. */
  function shapes(flats, origin, scale) {
    const all = new Float64Array(flats.reduce((sum, flat) => sum + flat.length, 0));
    let from = 0;
    return flats.map((flat) => {
      const room = all.subarray(from, (from += flat.length));
      return shape(flat, origin, scale, room);
    });
  }

  function inRing(x, y, ring) {
    let within = false;
    const n = ring.length;
    for (let i = 0, j = n - 2; i < n; j = i, i += 2) {
      if (ring[i + 1] > y !== ring[j + 1] > y) {
        const cut = ring[i] + ((y - ring[i + 1]) / (ring[j + 1] - ring[i + 1])) * (ring[j] - ring[i]);
        if (x < cut) within = !within;
      }
    }
    return within;
  }

  function squaredDistance(x, y, ax, ay, bx, by) {
    const dx = bx - ax;
    const dy = by - ay;
    const length = dx * dx + dy * dy;
    const t = length > 0 ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
    return (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2;
  }

  let Layer = null;

  function define() {
    Layer = L.Renderer.extend({
      options: { padding: 0.06 },

      initialize(options) {
        L.Renderer.prototype.initialize.call(this, options);
        this.links = [];
        this.zones = [];
        this.base = [];
        this.paint = null;
        this.paths = new Map();
        this.frames = 0;
      },

      /* Shapes as `zonewiseShapes` makes them. */
      setData({ links, zones, base }) {
        this.links = links;
        this.zones = zones;
        this.base = base;
        const first = this.zones.length ? this.zones[0][0] : this.links[0];
        this.anchor = first ? [first.points[0], first.points[1]] : [128, 128];
        this.paths.clear();
        if (this._map) this._update();
      },

      /* `same`: nothing but outlines, marks and labels differs from what is shown. */
      setPaint(paint, restyleBase, same) {
        this.paint = paint;
        if (!this._map) return;
        if (restyleBase) this._drawBase();
        this._draw(same && !restyleBase);
      },

      _initContainer() {
        /* Two pictures: all that lies below outlines, marks and labels, and these. A copy would cost more than both. */
        this._container = document.createElement("div");
        this._scene = document.createElement("canvas");
        this._over = document.createElement("canvas");
        for (const canvas of [this._scene, this._over]) {
          Object.assign(canvas.style, { position: "absolute", left: "0", top: "0" });
          this._container.appendChild(canvas);
        }
        this._backdrop = document.createElement("canvas");
        this._above = document.createElement("canvas"); // what of the base map lies over a raster, where there is one
        this._calm = document.createElement("canvas"); // all links at rest, where the paint says what that is
      },

      _destroyContainer() {
        this._container.remove();
        delete this._container;
      },

      _update() {
        if (this._map._animatingZoom && this._bounds) return;
        L.Renderer.prototype._update.call(this);
        const size = this._bounds.getSize();
        const ratio = (this.ratio = window.devicePixelRatio || 1);
        L.DomUtil.setPosition(this._container, this._bounds.min);
        for (const canvas of [this._scene, this._over, this._backdrop]) {
          canvas.width = Math.max(1, Math.round(size.x * ratio));
          canvas.height = Math.max(1, Math.round(size.y * ratio));
        }
        for (const { style } of [this._container, this._scene, this._over]) {
          style.width = size.x + "px";
          style.height = size.y + "px";
        }
        if (!this.anchor) return;
        this._view();
        this._calmLook = null;
        this._drawBase();
        this._draw();
        this.fire("update");
      },

      /* Scale, shift and what the view shows. */
      _view() {
        const zoom = this._map.getZoom();
        const scale = (this.scale = Math.pow(2, zoom));
        const corner = this._map.getPixelOrigin().add(this._bounds.min);
        const far = this._map.getPixelOrigin().add(this._bounds.max);
        this.shift = [this.anchor[0] * scale - corner.x, this.anchor[1] * scale - corner.y];
        const view = [corner.x / scale, corner.y / scale, far.x / scale, far.y / scale];
        const seen = (s) => s.box[0] <= view[2] && s.box[2] >= view[0] && s.box[1] <= view[3] && s.box[3] >= view[1];
        const index = (list, test) => list.reduce((keep, item, i) => (test(item) && keep.push(i), keep), []);
        this.seenLinks = index(this.links, seen);
        this.seenZones = index(this.zones, (rings) => rings.some(seen));
        this.seenBase = this.base.map((group) => ({ kind: group.kind, shapes: group.shapes.filter(seen) }));
        if (!this.paths.has(zoom)) {
          if (this.paths.size > 3) this.paths.clear();
          this.paths.set(zoom, this._thinned());
        }
        this.path = this.paths.get(zoom);
      },

      /* All links in pixels of this zoom: link i has the numbers from `first[i]` to `first[i + 1]` of `points`. */
      _thinned() {
        const room = new Float32Array(this.links.reduce((sum, s) => sum + s.points.length, 0));
        const first = new Uint32Array(this.links.length + 1);
        let at = 0;
        this.links.forEach(({ points }, link) => {
          const last = points.length - 2;
          let px = Infinity;
          let py = Infinity;
          for (let i = 0; i <= last; i += 2) {
            const x = (points[i] - this.anchor[0]) * this.scale;
            const y = (points[i + 1] - this.anchor[1]) * this.scale;
            if (i > 0 && i < last && Math.hypot(x - px, y - py) < THIN_PX) continue;
            room[at] = px = x;
            room[at + 1] = py = y;
            at += 2;
          }
          first[link + 1] = at;
        });
        return { points: room.slice(0, at), first };
      },

      _ready(pen) {
        pen.setTransform(1, 0, 0, 1, 0, 0);
        pen.clearRect(0, 0, this._scene.width, this._scene.height);
      },

      /* Degrees -> pixels of this zoom, from the anchor. */
      _at([lon, lat]) {
        const [x, y] = project(lon, lat);
        return [(x - this.anchor[0]) * this.scale, (y - this.anchor[1]) * this.scale];
      },

      _place(pen) {
        pen.setTransform(this.ratio, 0, 0, this.ratio, this.shift[0] * this.ratio, this.shift[1] * this.ratio);
      },

      _trace(pen, points) {
        for (let i = 0; i < points.length; i += 2) {
          const x = (points[i] - this.anchor[0]) * this.scale;
          const y = (points[i + 1] - this.anchor[1]) * this.scale;
          if (i) pen.lineTo(x, y);
          else pen.moveTo(x, y);
        }
      },

      _drawBase() {
        if (!this.paint || !this.seenBase) return;
        const split = Boolean(this.paint.raster);
        this._above.width = split ? this._scene.width : 0; // 0 gives its memory back
        this._above.height = split ? this._scene.height : 0;
        const pens = [this._backdrop, split ? this._above : this._backdrop].map((canvas) => canvas.getContext("2d"));
        for (const pen of pens) {
          this._ready(pen);
          this._place(pen);
        }
        const looks = this.seenBase.map((group) => ({ group, look: this.paint.base[group.kind] })).filter(({ look }) => look);
        looks.sort((a, b) => Boolean(a.look.above) - Boolean(b.look.above));
        for (const { group, look } of looks) {
          const pen = pens[look.above ? 1 : 0];
          pen.fillStyle = look.fill || "transparent";
          pen.strokeStyle = look.stroke || "transparent";
          pen.lineWidth = look.width || 1;
          for (let from = 0; from < group.shapes.length; from += 200) {
            pen.beginPath();
            for (const s of group.shapes.slice(from, from + 200)) {
              this._trace(pen, s.points);
              if (look.fill) pen.closePath();
            }
            if (look.fill) pen.fill("nonzero");
            if (look.stroke) pen.stroke();
          }
        }
      },

      _outline(pen, zone) {
        for (const ring of this.zones[zone]) {
          this._trace(pen, ring.points);
          pen.closePath();
        }
      },

      _strokes(pen, groups) {
        const { points, first } = this.path;
        pen.lineJoin = "round";
        for (const { width, colour, dash, links } of groups) {
          pen.lineWidth = width;
          pen.strokeStyle = colour;
          pen.lineCap = width > 2.2 ? "round" : "butt";
          pen.setLineDash(dash || []);
          for (let from = 0; from < links.length; from += BATCH) {
            pen.beginPath();
            for (const link of links.slice(from, from + BATCH)) {
              const end = first[link + 1];
              let k = first[link];
              pen.moveTo(points[k], points[k + 1]);
              for (k += 2; k < end; k += 2) pen.lineTo(points[k], points[k + 1]);
            }
            pen.stroke();
          }
        }
        pen.setLineDash([]);
      },

      _draw(same) {
        const look = this.paint;
        if (!look || !this.path) return;
        if (!same) this._drawScene(look);
        const pen = this._over.getContext("2d");
        this._ready(pen);
        this._place(pen);
        for (const mark of look.outlines) {
          pen.beginPath();
          for (const zone of mark.zones) this._outline(pen, zone);
          pen.lineJoin = "round";
          if (mark.halo) {
            pen.strokeStyle = mark.halo;
            pen.lineWidth = mark.width + 3;
            pen.stroke();
          }
          pen.strokeStyle = mark.colour;
          pen.lineWidth = mark.width;
          pen.stroke();
        }
        this._drawDots(pen, look);
        this._drawMarks(pen, look);
        this._drawLabels(pen, look);
        this.frames += 1;
      },

      /* Thousands of streets: another zone chosen need not draw them again. */
      _drawScene(look) {
        const pen = this._scene.getContext("2d");
        this._ready(pen);
        pen.drawImage(this._backdrop, 0, 0);
        this._place(pen);
        if (look.raster) this._drawRaster(pen, look.raster);
        if (this._above.width) {
          pen.setTransform(1, 0, 0, 1, 0, 0);
          pen.drawImage(this._above, 0, 0);
          this._place(pen);
        }
        for (const zone of this.seenZones) {
          const fill = look.zoneFill(zone, pen);
          if (!fill) continue;
          pen.beginPath();
          this._outline(pen, zone);
          pen.fillStyle = fill;
          pen.fill("evenodd");
        }
        pen.beginPath();
        for (const zone of this.seenZones) this._outline(pen, zone);
        pen.strokeStyle = look.zoneLine;
        pen.lineWidth = 1;
        pen.stroke();
        this._drawLinks(pen, look);
      },

      /* A picture by the degrees of its north-west, north-east and south-west corners, cut off at the zones. */
      _drawRaster(pen, { picture, corners, alpha }) {
        const [nw, ne, sw] = corners.map((corner) => this._at(corner));
        const { width, height } = picture;
        pen.save();
        pen.beginPath();
        for (const zone of this.seenZones) this._outline(pen, zone);
        pen.clip("evenodd");
        pen.transform((ne[0] - nw[0]) / width, (ne[1] - nw[1]) / width, (sw[0] - nw[0]) / height, (sw[1] - nw[1]) / height, nw[0], nw[1]);
        pen.globalAlpha = alpha;
        pen.imageSmoothingEnabled = true;
        pen.drawImage(picture, 0, 0);
        pen.restore();
      },

      /* Where a point lies in a picture: shares of the way from its west and from its north. */
      inPicture(latlng, corners) {
        const [nw, ne, sw] = corners.map(([lon, lat]) => project(lon, lat));
        const [x, y] = project(latlng.lng, latlng.lat);
        const [a, b, c, d] = [ne[0] - nw[0], sw[0] - nw[0], ne[1] - nw[1], sw[1] - nw[1]];
        const size = a * d - b * c;
        return [(d * (x - nw[0]) - b * (y - nw[1])) / size, (a * (y - nw[1]) - c * (x - nw[0])) / size];
      },

      /* Links by look, those that are drawn last at the end; without those of a key below 0. */
      _groups(look, keyOf) {
        const groups = new Map();
        for (const link of this.seenLinks) {
          const key = keyOf(link);
          if (key < 0) continue;
          if (!groups.has(key)) groups.set(key, { ...look.linkStyle(key), links: [] });
          groups.get(key).links.push(link);
        }
        return [...groups.values()].sort((a, b) => a.order - b.order);
      },

      _cased(pen, look, groups) {
        if (look.casing) {
          this._strokes(pen, groups.filter((g) => g.width > 1.3).map((g) => ({ width: g.width + 2.2, colour: look.casing, links: g.links })));
        }
        this._strokes(pen, groups);
      },

      /* A city's links are at rest but for a few: those are a picture, made once a view. */
      _drawLinks(pen, look) {
        if (!look.linkRest) {
          this._calm.width = this._calm.height = 0; // gives its memory back
          this._calmLook = null;
          this._cased(pen, look, this._groups(look, look.linkKey));
          return;
        }
        if (this._calmLook !== look.name) {
          this._calm.width = this._scene.width;
          this._calm.height = this._scene.height;
          const calm = this._calm.getContext("2d");
          this._place(calm);
          this._cased(calm, look, this._groups(look, look.linkRest));
          this._calmLook = look.name;
        }
        pen.setTransform(1, 0, 0, 1, 0, 0);
        pen.drawImage(this._calm, 0, 0);
        this._place(pen);
        const restless = (link) => {
          const key = look.linkKey(link);
          return key === look.linkRest(link) ? -1 : key;
        };
        this._strokes(pen, this._groups(look, restless));
      },

      /* Real sensors: under the labels. */
      _drawDots(pen, look) {
        if (!look.dots.length) return;
        const size = this._map.getZoom() < 10.5 ? 2 : 3;
        pen.beginPath();
        for (const dot of look.dots) {
          const [x, y] = this._at(dot.at);
          pen.moveTo(x + size, y);
          pen.arc(x, y, size, 0, 2 * Math.PI);
        }
        pen.lineWidth = 2;
        pen.strokeStyle = "#ffffff";
        pen.stroke();
        pen.fillStyle = look.dotColour;
        pen.fill();
      },

      _drawMarks(pen, look) {
        const every = look.marks.length > 60 ? Math.ceil(look.marks.length / 60) : 1;
        look.marks.forEach((link, number) => {
          if (number % every) return;
          const p = this.path.points.subarray(this.path.first[link], this.path.first[link + 1]);
          const k = 2 * Math.floor((p.length / 2 - 1) / 2);
          const x = (p[k] + p[k + 2]) / 2;
          const y = (p[k + 1] + p[k + 3]) / 2;
          pen.beginPath();
          pen.arc(x, y, 7, 0, 2 * Math.PI);
          pen.fillStyle = look.markColour;
          pen.fill();
          pen.lineWidth = 1.8;
          pen.strokeStyle = "#ffffff";
          pen.stroke();
          pen.beginPath();
          pen.moveTo(x - 2.6, y - 2.6);
          pen.lineTo(x + 2.6, y + 2.6);
          pen.moveTo(x + 2.6, y - 2.6);
          pen.lineTo(x - 2.6, y + 2.6);
          pen.stroke();
        });
      },

      _drawLabels(pen, look) {
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.lineJoin = "round";
        for (const label of look.labels) {
          if (!label.text) continue;
          const [x, y] = this._at(label.at);
          pen.font = `${label.big ? "700 17px" : "650 13px"} Inter, "Liberation Sans", sans-serif`;
          pen.lineWidth = 3.5;
          pen.strokeStyle = look.halo;
          pen.strokeText(label.text, x, y);
          pen.fillStyle = look.ink;
          pen.fillText(label.text, x, y);
        }
      },

      /* Middle of a link's middle piece: lon, lat. */
      linkMiddle(link) {
        const p = this.links[link].points;
        const k = 2 * Math.floor((p.length / 2 - 1) / 2);
        return unproject((p[k] + p[k + 2]) / 2, (p[k + 1] + p[k + 3]) / 2);
      },

      /* What lies under a point: the nearest link within 7 px, and the zone. */
      hit(latlng) {
        const [x, y] = project(latlng.lng, latlng.lat);
        const reach = 7 / this.scale;
        let best = reach * reach;
        let link = null;
        for (const i of this.seenLinks || []) {
          const { points, box } = this.links[i];
          if (x < box[0] - reach || x > box[2] + reach || y < box[1] - reach || y > box[3] + reach) continue;
          for (let k = 0; k + 3 < points.length; k += 2) {
            const d = squaredDistance(x, y, points[k], points[k + 1], points[k + 2], points[k + 3]);
            if (d < best) {
              best = d;
              link = i;
            }
          }
        }
        return { link, zone: this.zoneAt(x, y) };
      },

      zoneAt(x, y) {
        for (const i of this.seenZones || []) {
          let within = false;
          for (const ring of this.zones[i]) if (inRing(x, y, ring.points)) within = !within;
          if (within) return i;
        }
        return null;
      },

      /* Links whose middle, and zones whose middle, lie in a ring of lon, lat pairs. */
      within(ring) {
        const area = shape(ring.flat());
        const links = [];
        this.links.forEach(({ points }, i) => {
          const last = points.length - 2;
          const k = 2 * Math.floor(last / 4);
          const j = Math.min(k + 2, last);
          const [x, y] = points.length === 4 ? [(points[0] + points[2]) / 2, (points[1] + points[3]) / 2] : [(points[k] + points[j]) / 2, (points[k + 1] + points[j + 1]) / 2];
          if (inRing(x, y, area.points)) links.push(i);
        });
        const zones = [];
        this.zones.forEach((rings, i) => {
          const b = rings[0].box;
          if (inRing((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, area.points)) zones.push(i);
        });
        return { links, zones };
      },
    });
    return Layer;
  }

  window.zonewiseShapes = shapes;
  window.zonewiseCityLayer = () => new (Layer || define())();
})();
