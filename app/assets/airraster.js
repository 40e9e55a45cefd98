/* AirRaster: the air between the houses as pictures for the map, one a layer and hour, made when first shown. */
(function () {
  "use strict";
  const NOWHERE = 255;

  function bytes(text) {
    const raw = atob(text);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
    return out;
  }

  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

  window.zonewiseAirRaster = (raw) => {
    const { columns, rows, periods, steps } = raw;
    const size = columns * rows;
    const finer = size > 12000 ? 2 : 3; // pixels a side that a cell becomes; values between centres are linear
    const layers = {};
    for (const name of Object.keys(raw.layers || {})) layers[name] = { unit: raw.layers[name].unit, data: bytes(raw.layers[name].bytes) };
    const pictures = new Map();

    /* Cells outside the zones take the mean of known neighbours, so that the picture reaches their border. */
    function filled(data, from) {
      const out = new Float32Array(size);
      for (let r = 0; r < rows; r += 1) {
        for (let c = 0; c < columns; c += 1) {
          const own = data[from + r * columns + c];
          let sum = 0;
          let known = 0;
          if (own !== NOWHERE) [sum, known] = [own, 1];
          else {
            for (let y = Math.max(0, r - 1); y <= Math.min(rows - 1, r + 1); y += 1) {
              for (let x = Math.max(0, c - 1); x <= Math.min(columns - 1, c + 1); x += 1) {
                const v = data[from + y * columns + x];
                if (v !== NOWHERE) [sum, known] = [sum + v, known + 1];
              }
            }
          }
          out[r * columns + c] = known ? sum / known : NaN;
        }
      }
      return out;
    }

    /* For each pixel along one side: the two cells whose centres it lies between, and its share of the way. */
    function places(n) {
      return Array.from({ length: n * finer }, (_, p) => {
        const at = (p + 0.5) / finer - 0.5;
        const first = Math.floor(at);
        return [Math.max(0, first), Math.min(n - 1, first + 1), at - first];
      });
    }

    function paint(layer, period, scale) {
      const { unit, data } = layers[layer];
      const values = filled(data, period * size);
      const canvas = document.createElement("canvas");
      canvas.width = columns * finer;
      canvas.height = rows * finer;
      const pen = canvas.getContext("2d");
      const image = pen.createImageData(canvas.width, canvas.height);
      const colours = scale.colours.map(rgb);
      const last = colours.length - 1;
      const across = places(columns);
      const down = places(rows);
      for (let py = 0; py < canvas.height; py += 1) {
        const [top, bottom, lower] = down[py];
        for (let px = 0; px < canvas.width; px += 1) {
          const [left, right, later] = across[px];
          let sum = 0;
          let weight = 0;
          for (let k = 0; k < 4; k += 1) {
            const v = values[(k < 2 ? top : bottom) * columns + (k % 2 ? right : left)];
            const w = (k < 2 ? 1 - lower : lower) * (k % 2 ? later : 1 - later);
            if (v === v) {
              sum += w * v;
              weight += w;
            }
          }
          if (weight < 0.01) continue;
          const k = Math.floor((((sum / weight) * unit - scale.low) / (scale.high - scale.low)) * (last + 1));
          const colour = colours[Math.max(0, Math.min(last, k))];
          const to = 4 * (py * canvas.width + px);
          for (let j = 0; j < 3; j += 1) image.data[to + j] = colour[j];
          image.data[to + 3] = 255;
        }
      }
      pen.putImageData(image, 0, 0);
      return canvas;
    }

    return {
      corners: raw.corners,
      /* The last full hour at a step that is not after `now`; -1 where there is none. */
      period(layer, step, now) {
        if (!layers[layer] || step > now) return -1;
        let found = -1;
        periods.forEach((p, i) => {
          if (p.step <= step) found = i;
        });
        return found;
      },
      words: (period) => periods[period].words,
      picture(layer, period, scale) {
        const key = `${layer} ${period}`;
        if (!pictures.has(key)) {
          if (pictures.size > 48) pictures.clear();
          pictures.set(key, paint(layer, period, scale));
        }
        return pictures.get(key);
      },
      /* Value at shares of the way from the west and from the north, or null. */
      value(layer, period, across, down) {
        const c = Math.floor(across * columns);
        const r = Math.floor(down * rows);
        if (c < 0 || r < 0 || c >= columns || r >= rows) return null;
        const v = layers[layer].data[period * size + r * columns + c];
        return v === NOWHERE ? null : v * layers[layer].unit;
      },
      steps,
    };
  };
})();
