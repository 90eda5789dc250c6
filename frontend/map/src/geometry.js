// Points, polygons and neighbours. Coordinates are those of the payload, counted from the middle:
// whole numbers from -32767 to 32767. `emoviz.analysis.selection` does the same arithmetic in the
// same order on the same numbers, so that what looks selected is selected.

export const HALF = 32767;
export const MISSING = 65535;

/** No rotation: the first two axes are the screen's. */
export const FLAT = [1, 0, 0, 0, 1, 0];

/**
 * Screen coordinates of all points.
 * @param {Uint16Array[]} axes - two or three
 * @param {number[]} r - the two rows of a rotation, six numbers
 */
export function project(axes, r) {
  const n = axes[0].length;
  const u = new Float64Array(n);
  const v = new Float64Array(n);
  const [x, y, z] = axes;
  for (let i = 0; i < n; i++) {
    if (x[i] === MISSING) {
      u[i] = v[i] = NaN;
    } else if (z) {
      const [a, b, c] = [x[i] - HALF, y[i] - HALF, z[i] - HALF];
      u[i] = r[0] * a + r[1] * b + r[2] * c;
      v[i] = r[3] * a + r[4] * b + r[5] * c;
    } else {
      u[i] = x[i] - HALF;
      v[i] = y[i] - HALF;
    }
  }
  return { u, v };
}

/** One position of up to three coordinates, as `project` does it. */
export function projectOne(at, r) {
  if (at.length < 3) return [at[0], at[1]];
  return [r[0] * at[0] + r[1] * at[1] + r[2] * at[2], r[3] * at[0] + r[4] * at[1] + r[5] * at[2]];
}

/**
 * Even-odd rule. Edges are sorted into slabs of v, so that a point meets the few that can count.
 * @param {number[]} polygon - x0, y0, x1, y1, ...
 * @returns {Uint8Array} 1 inside
 */
export function inside(u, v, polygon) {
  const found = new Uint8Array(u.length);
  const corners = polygon.length / 2;
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let k = 0; k < corners; k++) {
    left = Math.min(left, polygon[2 * k]);
    right = Math.max(right, polygon[2 * k]);
    low = Math.min(low, polygon[2 * k + 1]);
    high = Math.max(high, polygon[2 * k + 1]);
  }
  if (!(high > low)) return found;
  const SLABS = 256;
  const slabOf = (y) => Math.min(SLABS - 1, Math.floor(((y - low) / (high - low)) * SLABS));
  const slabs = Array.from({ length: SLABS }, () => []);
  for (let k = 0; k < corners; k++) {
    const j = (k + 1) % corners;
    const [x0, y0, x1, y1] = [
      polygon[2 * k],
      polygon[2 * k + 1],
      polygon[2 * j],
      polygon[2 * j + 1],
    ];
    const edge = y0 < y1 ? [x0, y0, x1, y1] : [x1, y1, x0, y0];
    const first = slabOf(edge[1]);
    const last = slabOf(edge[3]);
    for (let s = first; s <= last; s++) slabs[s].push(edge);
  }
  for (let i = 0; i < u.length; i++) {
    const [x, y] = [u[i], v[i]];
    if (!(x >= left && x <= right && y >= low && y <= high)) continue;
    let odd = 0;
    for (const [x0, y0, x1, y1] of slabs[slabOf(y)]) {
      if (y0 <= y && y < y1 && (x - x0) * (y1 - y0) < (y - y0) * (x1 - x0)) odd ^= 1;
    }
    found[i] = odd;
  }
  return found;
}

/** A uniform grid over the points, for "what lies near here". */
export class Neighbours {
  constructor(u, v) {
    this.u = u;
    this.v = v;
    const n = u.length;
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(n / 4))));
    [this.left, this.low, this.width] = square(u, v);
    const cells = new Uint32Array(this.side * this.side + 1);
    const cellOf = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      cellOf[i] = Number.isNaN(u[i]) ? -1 : this.#cell(u[i], v[i]);
      if (cellOf[i] >= 0) cells[cellOf[i] + 1]++;
    }
    for (let c = 1; c < cells.length; c++) cells[c] += cells[c - 1];
    this.starts = cells.slice();
    this.ids = new Uint32Array(cells[cells.length - 1]);
    for (let i = 0; i < n; i++) if (cellOf[i] >= 0) this.ids[cells[cellOf[i]]++] = i;
  }

  #column(x) {
    return Math.max(
      0,
      Math.min(this.side - 1, Math.floor(((x - this.left) / this.width) * this.side)),
    );
  }

  #row(y) {
    return Math.max(
      0,
      Math.min(this.side - 1, Math.floor(((y - this.low) / this.width) * this.side)),
    );
  }

  #cell(x, y) {
    return this.#row(y) * this.side + this.#column(x);
  }

  /** Points inside [left, low, right, high] that `allowed` lets through; null if more than `most`. */
  within([left, low, right, high], most, allowed) {
    const found = [];
    for (let row = this.#row(low); row <= this.#row(high); row++) {
      const first = row * this.side;
      const to = this.starts[first + this.#column(right) + 1];
      for (let k = this.starts[first + this.#column(left)]; k < to; k++) {
        const i = this.ids[k];
        const [x, y] = [this.u[i], this.v[i]];
        if (x < left || x > right || y < low || y > high || !allowed(i)) continue;
        if (found.push(i) > most) return null;
      }
    }
    return found;
  }

  /** The nearest point within `radius` that `allowed` lets through; -1 without one. */
  nearest(x, y, radius, allowed) {
    let best = radius * radius;
    let found = -1;
    for (let row = this.#row(y - radius); row <= this.#row(y + radius); row++) {
      const first = row * this.side;
      const from = this.starts[first + this.#column(x - radius)];
      const to = this.starts[first + this.#column(x + radius) + 1];
      for (let k = from; k < to; k++) {
        const i = this.ids[k];
        const d = (this.u[i] - x) ** 2 + (this.v[i] - y) ** 2;
        if (d <= best && allowed(i)) [best, found] = [d, i];
      }
    }
    return found;
  }
}

/** The next point in a direction, at least `least` away: [dx, dy] is a unit vector. -1: none. */
export function nextTowards(u, v, x, y, [dx, dy], least, allowed) {
  let best = Infinity;
  let found = -1;
  for (let i = 0; i < u.length; i++) {
    const along = (u[i] - x) * dx + (v[i] - y) * dy;
    const across = Math.abs((u[i] - x) * dy - (v[i] - y) * dx);
    // A quarter circle in front, what lies straight ahead first.
    if (along < least || across > along) continue;
    const cost = along + 2 * across;
    if (cost < best && allowed(i)) [best, found] = [cost, i];
  }
  return found;
}

/** [left, low, width] of the smallest square around the points that exist. */
export function square(u, v) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < u.length; i++) {
    if (u[i] < left) left = u[i];
    if (u[i] > right) right = u[i];
    if (v[i] < low) low = v[i];
    if (v[i] > high) high = v[i];
  }
  if (!(right >= left)) return [-HALF, -HALF, 2 * HALF];
  const width = Math.max(right - left, high - low, 1);
  return [(left + right - width) / 2, (low + high - width) / 2, width];
}

/** Ramer-Douglas-Peucker with a tolerance that grows until at most `most` corners are left. */
export function simplify(path, tolerance, most) {
  let kept = path;
  for (let t = tolerance; ; t *= 1.6) {
    kept = thinned(path, t);
    if (kept.length <= most) return kept;
  }
}

function thinned(path, tolerance) {
  if (path.length < 4) return path;
  const keep = new Uint8Array(path.length);
  keep[0] = keep[path.length - 1] = 1;
  const stack = [[0, path.length - 1]];
  while (stack.length) {
    const [from, to] = stack.pop();
    let [worst, at] = [tolerance, -1];
    for (let i = from + 1; i < to; i++) {
      const d = offTheLine(path[i], path[from], path[to]);
      if (d > worst) [worst, at] = [d, i];
    }
    if (at < 0) continue;
    keep[at] = 1;
    stack.push([from, at], [at, to]);
  }
  return path.filter((_, i) => keep[i]);
}

function offTheLine([x, y], [x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1e-9) return Math.hypot(x - x0, y - y0);
  return Math.abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / length;
}

/**
 * The rows of a rotation about the screen's axes after the rotation `rows`: `across` radians about
 * the upright axis, `down` about the level one. Rounded, because Python gets these very numbers.
 */
export function turned(rows, across, down) {
  const [a, b] = [rows.slice(0, 3), rows.slice(3, 6)];
  const c = cross(a, b);
  const [ca, sa, cd, sd] = [Math.cos(across), Math.sin(across), Math.cos(down), Math.sin(down)];
  const right = a.map((_, i) => ca * a[i] + sa * c[i]);
  const front = a.map((_, i) => ca * c[i] - sa * a[i]);
  const up = b.map((_, i) => cd * b[i] - sd * front[i]);
  return orthonormal(right, up).map((value) => Math.round(value * 1e6) / 1e6);
}

function cross([a, b, c], [d, e, f]) {
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

function orthonormal(right, up) {
  const long = Math.hypot(...right);
  const x = right.map((value) => value / long);
  const dot = x.reduce((sum, value, i) => sum + value * up[i], 0);
  const y = up.map((value, i) => value - dot * x[i]);
  const tall = Math.hypot(...y);
  return [...x, ...y.map((value) => value / tall)];
}
