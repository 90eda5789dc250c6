// One scatter map: its canvases, its view, and what hands do on it. What is shared with the other
// panel (colours, visibility, selection, focus) is the owner's.

import createScatterplot from "regl-scatterplot";

import { rgb } from "./colour.js";
import { density } from "./density.js";
import {
  FLAT,
  HALF,
  inside,
  MISSING,
  Neighbours,
  nextTowards,
  project,
  projectOne,
  simplify,
  square,
  turned,
} from "./geometry.js";
import { unusedIndex } from "./renderer.js";
import { MOST, NEAR, REST, Thumbs } from "./thumbs.js";

const REACH = 14; // px around the pointer in which a point is found
const BETWEEN = 7; // px, where it is on a picture
const STEP = 12; // px that an arrow key moves on at least
const MARGIN = 26; // px around the points after a reset
const CLICK = 4; // px of movement that still are a click
const CORNERS = 160; // of a lasso; keeps what is sent below 4 KB
const ZOOM = [0.25, 400]; // against the view that shows everything
const MANY = 200_000; // points; above, a part is drawn while a view moves, all when it rests
const PART = 30_000; // of them
const DEPTHS = 4; // steps of size and opacity from the back of a 3-D map to its front
const OBLIQUE = turned([1, 0, 0, 0, 1, 0], 0.6, -0.35);
export const [HIDDEN, DIMMED, NORMAL, BRIGHT] = [0, 1, 2, 3];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Panel {
  /**
   * @param {object} owner - the map: `stateOf(i)`, `codes`, `palette`, `theme`, `tool`, `hovered`,
   *   `clicked`, `cards`, `select(panel, region)`, `point(i, by, panel)`, `click(i)`
   */
  constructor(owner, spec, axes, number) {
    Object.assign(this, { owner, spec, axes, number });
    this.deep = axes.length === 3;
    this.rotation = this.deep ? OBLIQUE : FLAT;
    this.view = { x: 0, y: 0, scale: 1 };
    this.home = { ...this.view };
    this.pointers = new Map();
    this.path = null;
    this.size = [0, 0];
    this.project();
    this.#build();
    this.#listen();
  }

  // Elements -----------------------------------------------------------------------------------

  #build() {
    this.element = make("section", "panel");
    this.heading = make("h2", "title", this.element);
    this.stage = make("div", "stage", this.element);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "scatter map");
    this.cloud = make("canvas", "layer density", this.stage);
    this.canvas = make("canvas", "layer", this.stage);
    this.thumbs = new Thumbs(make("div", "layer", this.stage));
    this.overlay = make("canvas", "layer", this.stage);
    this.labels = make("div", "layer labels", this.stage);
    this.note = make("p", "empty", this.stage);
    make("p", "keys", this.stage, this.#keys());
    this.describe(this.spec);
  }

  /** Title, marks and pins. */
  describe(spec) {
    this.spec = spec;
    this.heading.textContent = spec.title;
    this.stage.setAttribute("aria-label", this.#label());
    this.labels.replaceChildren();
    this.pins = spec.pins.map((pin) => this.#pin(pin));
    this.marks = spec.marks.map((mark) => this.#mark(mark));
    this.#widths = [];
  }

  #widths = [];

  #label() {
    const drawn = this.owner.count.toLocaleString("en");
    return `${this.spec.title || "Map"}: ${drawn} images. ${this.#keys()}`;
  }

  #keys() {
    return this.deep
      ? "Arrows: turn · Shift + arrows: next image · + −: zoom · Enter: choose · Esc: clear"
      : "Arrows: next image · Shift + arrows: move · + −: zoom · Enter: choose · Esc: clear";
  }

  #mark({ label, colour }) {
    const element = make("div", "mark", this.labels);
    const sign = make("i", "diamond", element);
    sign.style.background = colour;
    make("span", "", element, label);
    return element;
  }

  #pin({ label, offset, size }) {
    const element = make("figure", "pin", this.labels);
    const image = make("img", "", element);
    image.alt = "";
    image.src = this.owner.picture(offset, size);
    make("figcaption", "", element, label);
    return element;
  }

  // Points -------------------------------------------------------------------------------------

  /** Take the renderer and draw for the first time. */
  async start(shared) {
    this.shared = shared;
    const style = this.#style();
    this.#styled = JSON.stringify(style);
    this.scatter = createScatterplot({
      ...style,
      cameraView: this.#camera(),
      renderer: shared.renderer,
      canvas: this.canvas,
      width: this.size[0],
      height: this.size[1],
      cameraIsFixed: true,
      colorBy: "z",
      opacityBy: "w",
      sizeBy: "w",
      pointScaleMode: "constant",
      pointColor: this.owner.palette,
      actionKeyMap: {},
      lassoOnLongPress: false,
      deselectOnEscape: false,
      deselectOnDblClick: false,
    });
    this.index = await unusedIndex();
    // The library draws what it has in the frame after it was made; points before it, twice.
    await new Promise(requestAnimationFrame);
    if (this.gone) return;
    this.#makePoints();
    await this.redraw();
  }

  /** Screen coordinates of all points under the present rotation. */
  project() {
    Object.assign(this, project(this.axes, this.rotation));
    this.near = null;
    this.cloudImage = null;
  }

  get neighbours() {
    this.near ??= new Neighbours(this.u, this.v);
    return this.near;
  }

  #makePoints() {
    const { codes } = this.owner;
    this.points = Array.from(this.u, (x, i) => [x / HALF, this.v[i] / HALF, codes[i], NORMAL]);
  }

  /** Colours of another theme or legend. */
  async recolour() {
    if (!this.scatter) return;
    this.scatter.set({ pointColor: this.owner.palette });
    const { codes } = this.owner;
    for (let i = 0; i < this.points.length; i++) this.points[i][2] = codes[i];
    this.cloudImage = null;
    await this.redraw();
  }

  /** Draw the points anew: after a change of visibility, selection or rotation. */
  async redraw() {
    if (!this.points) return;
    if (this.drawing) {
      this.again = true;
      return;
    }
    this.drawing = true;
    this.light = false;
    this.#restyle();
    const points = this.#inOrder();
    await this.scatter.draw(points, {
      spatialIndex: this.index,
      zDataType: "categorical",
      wDataType: "categorical",
    });
    this.drawing = false;
    if (this.gone) return;
    this.note.textContent = points.length ? "" : this.#nothing();
    this.paint();
    if (this.again) {
      this.again = false;
      await this.redraw();
    }
  }

  #nothing() {
    if (!this.owner.count) return "There are no images to show.";
    return this.u.some((x) => !Number.isNaN(x))
      ? "Everything is switched off in the legend."
      : "No image has a position on this map.";
  }

  /**
   * Dimmed points first, then from back to front; otherwise in a shuffled order, so that no class
   * hides another. A point's fourth number chooses its size and opacity: state + 4 * depth.
   */
  #inOrder() {
    const n = this.points.length;
    const depths = this.deep ? this.#depths() : null;
    const groups = Array.from({ length: 4 * DEPTHS }, () => []);
    const stride = coprime(n);
    for (let k = 0, i = 0; k < n; k++, i = (i + stride) % n) {
      const state = Number.isNaN(this.u[i]) ? HIDDEN : this.owner.stateOf(i);
      const depth = depths ? depths[i] : DEPTHS - 1;
      const point = this.points[i];
      point[3] = state + 4 * depth;
      groups[state * DEPTHS + depth].push(point);
    }
    const shown = [].concat(...groups.slice(DIMMED * DEPTHS));
    this.drawn = shown.length;
    return shown;
  }

  /** 0 at the back of the cloud to DEPTHS - 1 at its front. */
  #depths() {
    const r = this.rotation;
    const towards = [
      r[1] * r[5] - r[2] * r[4],
      r[2] * r[3] - r[0] * r[5],
      r[0] * r[4] - r[1] * r[3],
    ];
    const reach = this.radius * HALF;
    const [x, y, z] = this.axes;
    return Uint8Array.from(x, (_, i) => {
      const near =
        towards[0] * (x[i] - HALF) + towards[1] * (y[i] - HALF) + towards[2] * (z[i] - HALF);
      return Math.max(0, Math.min(DEPTHS - 1, ((near / reach + 1) / 2) * DEPTHS));
    });
  }

  #styled = null;

  /** Tell the library about another size and opacity, which costs it a frame; the end of it. */
  #restyle() {
    const style = this.#style();
    const key = JSON.stringify(style);
    if (key === this.#styled) return null;
    this.#styled = key;
    return this.scatter.set(style);
  }

  /** Size and opacity of each state and depth, by the number of points and the zoom. */
  #style() {
    const n = Math.max(1, this.light ? PART : this.owner.count);
    const [width, height] = this.size;
    const room = Math.sqrt((width * height) / 300000);
    const plain = Math.max(1.5, Math.min(10, (13.6 - 2.15 * Math.log10(n)) * Math.min(1.15, room)));
    const zoom = Math.max(1, this.view.scale / this.home.scale);
    const size = Math.min(14, plain * zoom ** 0.35);
    const opacity = Math.min(0.9, Math.max(0.16, 1.5 - 0.22 * Math.log10(n)) * zoom ** 0.3);
    const veil = this.owner.showDensity ? 0.3 : 1;
    const bright = Math.min(1, opacity + 0.12);
    const dimmed = this.owner.theme.dark ? 0.16 : 0.13;
    const sizes = [0, size * 0.85, size, Math.max(size * 1.15, 2.6)];
    const opacities = [0, dimmed * veil, opacity * veil, bright];
    const at = (depth, back) => (this.deep ? back + ((1.1 - back) * depth) / (DEPTHS - 1) : 1);
    const each = Array.from({ length: DEPTHS }, (_, depth) => depth);
    return {
      pointSize: each.flatMap((depth) => sizes.map((value) => value * at(depth, 0.65))),
      opacity: each.flatMap((depth) => opacities.map((v) => Math.min(1, v * at(depth, 0.5)))),
    };
  }

  // View ---------------------------------------------------------------------------------------

  /** Fit the canvases to the element. */
  layout() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return false;
    const ratio = window.devicePixelRatio;
    if (this.size[0] === width && this.size[1] === height && this.ratio === ratio) return false;
    const wasHome = !this.size[0] || this.#isHome();
    if (this.ratio && this.ratio !== ratio) this.shared?.refit();
    this.size = [width, height];
    this.ratio = ratio;
    for (const layer of [this.overlay, this.cloud]) {
      layer.width = Math.round(width * ratio);
      layer.height = Math.round(height * ratio);
    }
    this.shared?.fit(width, height);
    this.scatter?.set({ width, height });
    this.#fitHome();
    if (wasHome) this.view = { ...this.home };
    return true;
  }

  #isHome() {
    const { x, y, scale } = this.home;
    return this.view.x === x && this.view.y === y && this.view.scale === scale;
  }

  #fitHome() {
    const [width, height] = this.size;
    let [left, right, low, high] = this.deep ? this.#ball() : this.#box();
    const room = Math.max(20, Math.min(width, height) - 2 * MARGIN);
    const unit = 2 / height;
    const spread = Math.max(right - left, high - low) || 0.2;
    [left, right] = [left, Math.max(right, left)];
    const scale = Math.min(
      ((width - 2 * MARGIN) * unit) / Math.max(right - left, spread / 20),
      ((height - 2 * MARGIN) * unit) / Math.max(high - low, spread / 20),
      (room * unit) / 0.02,
    );
    this.home = { x: (left + right) / 2, y: (low + high) / 2, scale };
  }

  #box() {
    const others = [...this.spec.marks, ...this.spec.pins].map(({ at }) => at);
    const box = [Infinity, -Infinity, Infinity, -Infinity];
    const add = (x, y) => {
      if (x < box[0]) box[0] = x;
      if (x > box[1]) box[1] = x;
      if (y < box[2]) box[2] = y;
      if (y > box[3]) box[3] = y;
    };
    for (let i = 0; i < this.u.length; i++) add(this.u[i], this.v[i]);
    for (const [x, y] of others) add(x, y);
    return box[0] > box[1] ? [-1, 1, -1, 1] : box.map((value) => value / HALF);
  }

  /** What hardly a point leaves in any rotation. */
  #ball() {
    this.radius ??= this.#reach();
    return [-this.radius, this.radius, -this.radius, this.radius];
  }

  /** The radius within which 98 in 100 points lie. */
  #reach() {
    const [x, y, z] = this.axes;
    const all = Float64Array.from(x, (_, i) =>
      x[i] === MISSING ? -1 : Math.hypot(x[i] - HALF, y[i] - HALF, z[i] - HALF),
    ).sort();
    const known = all.subarray(all.findIndex((value) => value >= 0));
    const radius = all.at(-1) >= 0 ? known[Math.floor(0.98 * (known.length - 1))] : 0;
    return radius / HALF || 1;
  }

  reset() {
    if (this.deep && this.rotation !== OBLIQUE) {
      this.rotation = OBLIQUE;
      this.#rotated();
    }
    this.#fitHome();
    this.look({ ...this.home });
  }

  look(view) {
    this.view = view;
    if (!this.scatter || this.gone) return;
    this.#lighten();
    this.#restyle();
    this.scatter.view(this.#camera());
    this.owner.cards.moved();
    this.paint();
  }

  /** A part of many points while the view moves: of every state, class and region its share. */
  #lighten() {
    if (this.drawn <= MANY || this.drawing) return;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#whole(), REST);
    if (this.light) return;
    this.light = true;
    const part = Array.from({ length: PART }, (_, k) => Math.floor((k * this.drawn) / PART));
    this.scatter.filter(part, { preventEvent: true });
  }

  async #whole() {
    this.light = false;
    if (this.gone) return;
    await this.#restyle(); // which draws by itself: the points come with it, not before
    if (!this.gone && !this.light && !this.drawing) this.scatter.unfilter({ preventEvent: true });
  }

  #camera() {
    const { x, y, scale: s } = this.view;
    return [s, 0, 0, 0, 0, s, 0, 0, 0, 0, 1, 0, -s * x, -s * y, 0, 1];
  }

  zoom(factor, at = [this.size[0] / 2, this.size[1] / 2]) {
    const [x, y] = this.#world(at);
    const least = this.home.scale * ZOOM[0];
    const scale = Math.max(least, Math.min(this.home.scale * ZOOM[1], this.view.scale * factor));
    const ratio = this.view.scale / scale;
    this.look({ x: x + (this.view.x - x) * ratio, y: y + (this.view.y - y) * ratio, scale });
  }

  #pan(dx, dy) {
    const unit = 2 / (this.size[1] * this.view.scale);
    this.look({ ...this.view, x: this.view.x - dx * unit, y: this.view.y + dy * unit });
  }

  /** Pixels -> world (-1 to 1). */
  #world([px, py]) {
    const unit = 2 / (this.size[1] * this.view.scale);
    return [
      this.view.x + (px - this.size[0] / 2) * unit,
      this.view.y - (py - this.size[1] / 2) * unit,
    ];
  }

  /** Payload coordinates -> pixels. */
  at(u, v) {
    const unit = (this.size[1] * this.view.scale) / 2;
    return [
      this.size[0] / 2 + (u / HALF - this.view.x) * unit,
      this.size[1] / 2 - (v / HALF - this.view.y) * unit,
    ];
  }

  /** Pixels -> payload coordinates. */
  #data(pixel) {
    return this.#world(pixel).map((value) => value * HALF);
  }

  get #perPixel() {
    return (2 * HALF) / (this.size[1] * this.view.scale);
  }

  turn(across, down) {
    this.rotation = turned(this.rotation, across, down);
    this.#rotated();
  }

  #rotated() {
    this.project();
    if (!this.points) return;
    for (let i = 0; i < this.points.length; i++) {
      this.points[i][0] = this.u[i] / HALF;
      this.points[i][1] = this.v[i] / HALF;
    }
    this.redraw();
  }

  // Selection ----------------------------------------------------------------------------------

  /** What is inside a region of this panel; 3-D regions bring the rotation they were drawn in. */
  members({ polygon, rotation }) {
    const { u, v } = rotation && this.deep ? project(this.axes, rotation) : this;
    return inside(u, v, polygon);
  }

  #finishPath() {
    const path = this.path;
    this.path = null;
    if (!path || path.length < 3) return;
    const corners = simplify(path, 1.2, CORNERS);
    if (corners.length < 3) return;
    const polygon = corners.flatMap((pixel) => this.#data(pixel).map(Math.round));
    const region = { panel: this.number, polygon };
    if (this.deep) region.rotation = this.rotation;
    this.owner.select(region);
  }

  // Hands --------------------------------------------------------------------------------------

  #listen() {
    const stage = this.stage;
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event, true));
    stage.addEventListener("pointerleave", () => {
      if (!this.pointers.size) this.owner.point(-1, "hand", this);
    });
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("blur", () => this.owner.point(-1, "key", this));
  }

  #pixel(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    if (event.button !== 0 || !this.scatter) return;
    this.stage.setPointerCapture(event.pointerId);
    const pixel = this.#pixel(event);
    this.pointers.set(event.pointerId, pixel);
    this.began = pixel;
    this.moved = false;
    const tool = event.shiftKey && !this.#draws() ? "lasso" : this.owner.tool;
    this.doing = this.pointers.size > 1 ? "pinch" : tool;
    this.path = this.doing === "lasso" ? [pixel] : null;
    this.stage.classList.toggle("busy", true);
  }

  #draws() {
    return this.owner.tool === "lasso" || this.owner.tool === "box";
  }

  #move(event) {
    const pixel = this.#pixel(event);
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      this.#hover(pixel);
      return;
    }
    const [dx, dy] = [pixel[0] - last[0], pixel[1] - last[1]];
    this.moved ||= Math.hypot(pixel[0] - this.began[0], pixel[1] - this.began[1]) > CLICK;
    if (this.doing === "pinch") this.#pinch(event.pointerId, pixel);
    this.pointers.set(event.pointerId, pixel);
    if (!this.moved) return;
    this.owner.point(-1, "hand", this);
    if (this.doing === "move") this.#pan(dx, dy);
    if (this.doing === "turn") this.deep ? this.turn(dx * 0.008, -dy * 0.008) : this.#pan(dx, dy);
    if (this.doing === "lasso") this.#extend(pixel);
    if (this.doing === "box") this.#stretch(pixel);
  }

  #extend(pixel) {
    const last = this.path.at(-1);
    if (Math.hypot(pixel[0] - last[0], pixel[1] - last[1]) < 2) return;
    this.path.push(pixel);
    this.paint();
  }

  #stretch([x, y]) {
    const [a, b] = this.began;
    this.path = [
      [a, b],
      [x, b],
      [x, y],
      [a, y],
    ];
    this.paint();
  }

  #pinch(moving, pixel) {
    const [other] = [...this.pointers].find(([id]) => id !== moving)?.slice(1) ?? [];
    if (!other) return;
    const before = this.pointers.get(moving);
    const distance = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
    const middle = [(pixel[0] + other[0]) / 2, (pixel[1] + other[1]) / 2];
    if (distance(before) > 5) this.zoom(distance(pixel) / distance(before), middle);
    this.moved = true;
  }

  #up(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.stage.classList.toggle("busy", false);
    if (cancelled) this.path = null;
    else if (!this.moved) this.#clickAt(this.#pixel(event));
    else this.#finishPath();
    this.path = null;
    this.paint();
  }

  #clickAt(pixel) {
    const found = this.#find(pixel);
    this.owner.click(found);
    if (found >= 0) this.owner.point(found, "hand", this);
  }

  #find(pixel) {
    const [x, y] = this.#data(pixel);
    const picture = this.thumbs.over(pixel);
    const reach = (picture < 0 ? REACH : BETWEEN) * this.#perPixel;
    const found = this.neighbours.nearest(x, y, reach, (i) => this.owner.stateOf(i) > HIDDEN);
    return found < 0 ? picture : found;
  }

  #hover(pixel) {
    this.pixel = pixel;
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.gone && this.points) this.owner.point(this.#find(this.pixel), "hand", this);
    });
  }

  /** The wheel zooms. Where everything is in view, turning it back scrolls the page. */
  #wheel(event) {
    const out = event.deltaY > 0;
    if (out && !event.ctrlKey && this.view.scale <= this.home.scale * 1.001) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016));
    if (out && this.view.scale * factor <= this.home.scale) this.look({ ...this.home });
    else this.zoom(factor, this.#pixel(event));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.#arrow(arrow, event.shiftKey);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.reset();
    else if (event.key === "Enter" || event.key === " ") this.owner.click(this.owner.hovered);
    else if (event.key === "Escape") this.owner.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #arrow([dx, dy], shift) {
    if (this.deep && !shift) return this.turn(-dx * 0.12, -dy * 0.12);
    if (!this.deep && shift) return this.#pan(-dx * 60, dy * 60);
    const from = this.owner.hovered >= 0 ? this.owner.hovered : this.owner.clicked;
    const known = from >= 0 && !Number.isNaN(this.u[from]);
    const [x, y] = known
      ? [this.u[from], this.v[from]]
      : this.#data([this.size[0] / 2, this.size[1] / 2]);
    const seen = (i) => this.owner.stateOf(i) > DIMMED;
    const found = known
      ? nextTowards(this.u, this.v, x, y, [dx, dy], STEP * this.#perPixel, seen)
      : this.neighbours.nearest(x, y, 4 * HALF, seen);
    if (found < 0) return;
    this.#bringIn(found);
    this.owner.point(found, "key", this);
  }

  #bringIn(i) {
    const [x, y] = this.at(this.u[i], this.v[i]);
    const [width, height] = this.size;
    const over = (value, end) => Math.min(0, value - 30) + Math.max(0, value - end + 30);
    const [dx, dy] = [over(x, width), over(y, height)];
    if (dx || dy) this.#pan(-dx, -dy);
  }

  // Painting -----------------------------------------------------------------------------------

  /** Everything on top of and under the points; the points themselves are `redraw`'s. */
  paint() {
    if (this.painting || this.gone) return;
    this.painting = requestAnimationFrame(() => {
      this.painting = null;
      if (this.gone || !this.size[0]) return;
      this.#paintCloud();
      this.#putThumbs();
      this.#paintOverlay();
      this.#placeLabels();
    });
  }

  #paintCloud() {
    const context = this.cloud.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.cloud.width, this.cloud.height);
    if (!this.owner.showDensity || !this.drawn) return;
    this.cloudImage ??= this.#makeCloud();
    const { image, left, low, width } = this.cloudImage;
    const [x0, y1] = this.at(left, low);
    const [x1, y0] = this.at(left + width, low + width);
    context.scale(this.ratio, this.ratio);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, x0, y0, x1 - x0, y1 - y0);
  }

  #makeCloud() {
    const colours = this.owner.palette.map(rgb);
    const { codes, stateOf } = this.owner;
    return density(this.u, this.v, (i) => (stateOf(i) > DIMMED ? colours[codes[i]] : null));
  }

  #putThumbs() {
    const { cards, codes, palette, stateOf } = this.owner;
    const points = this.#fewInView().map((i) => {
      const at = this.at(this.u[i], this.v[i]);
      return { i, at, colour: palette[codes[i]], faint: stateOf(i) === DIMMED };
    });
    cards.lack(this.number, this.thumbs.put(points, (i) => cards.picture(i)));
  }

  /** The points in view where they are few; what stands out first, then in an order of no class. */
  #fewInView() {
    if (!this.points || this.view.scale < NEAR * this.home.scale) return [];
    const { stateOf } = this.owner;
    const box = [...this.#data([0, this.size[1]]), ...this.#data([this.size[0], 0])];
    const found = this.neighbours.within(box, MOST, (i) => stateOf(i) > HIDDEN) ?? [];
    const mixed = (i) => Math.imul(i, 2654435761) >>> 0;
    return found.sort((a, b) => stateOf(b) - stateOf(a) || mixed(a) - mixed(b));
  }

  #paintOverlay() {
    const { theme, region, hovered, clicked } = this.owner;
    const context = this.overlay.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, ...this.size);
    for (const { at, colour } of this.thumbs.covered) dot(context, at, colour, theme);
    const drawn = this.path ?? this.#outline(region);
    if (drawn) outline(context, drawn, theme, Boolean(this.path));
    for (const [i, radius] of [
      [clicked, 9],
      [hovered, 7],
    ]) {
      if (i < 0 || Number.isNaN(this.u[i])) continue;
      context.beginPath();
      if (this.thumbs.shown.has(i)) this.thumbs.frame(context, i);
      else context.arc(...this.at(this.u[i], this.v[i]), radius, 0, 2 * Math.PI);
      ring(context, theme);
    }
  }

  #outline(region) {
    if (!region || region.panel !== this.number) return null;
    // A region drawn in another rotation has no outline in this one.
    if (region.rotation && region.rotation.join() !== this.rotation.join()) return null;
    const { polygon } = region;
    return Array.from({ length: polygon.length / 2 }, (_, k) =>
      this.at(polygon[2 * k], polygon[2 * k + 1]),
    );
  }

  #placeLabels() {
    const place = (element, { at }) => {
      const [x, y] = this.at(...projectOne(at, this.rotation));
      const [width, height] = this.size;
      const away = x < -40 || y < -40 || x > width + 40 || y > height + 40;
      element.style.visibility = away ? "hidden" : "";
      element.style.transform = `translate(${x}px, ${y}px)`;
      return [x, y];
    };
    // Labels keep off pictures, off the signs of all marks and off each other.
    const taken = this.spec.pins.map((pin, k) => pictureBox(...place(this.pins[k], pin)));
    const places = this.spec.marks.map((mark, k) => place(this.marks[k], mark));
    for (const [x, y] of places) taken.push([x - 6, y - 6, 12, 12]);
    places.forEach(([x, y], k) => {
      const element = this.marks[k];
      const wide = (this.#widths[k] ??= element.lastChild.offsetWidth);
      const side = ["right", "left", "above", "below"].find((where) => {
        const box = labelBox(where, x, y, wide);
        return !taken.some((other) => overlap(box, other));
      });
      element.dataset.side = side ?? "none";
      if (side) taken.push(labelBox(side, x, y, wide));
    });
  }

  /** Where point `i` is on the page, for the card. */
  onPage(i) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = this.at(this.u[i], this.v[i]);
    return [box.left + x, box.top + y];
  }

  free() {
    this.gone = true;
    cancelAnimationFrame(this.painting);
    cancelAnimationFrame(this.waiting);
    this.scatter?.destroy();
    this.points = null;
  }
}

function pictureBox(x, y) {
  return [x - 34, y - 76, 68, 100];
}

function labelBox(side, x, y, wide) {
  const high = 18;
  if (side === "right") return [x + 8, y - high / 2, wide, high];
  if (side === "left") return [x - 8 - wide, y - high / 2, wide, high];
  return [x - wide / 2, side === "above" ? y - 9 - high : y + 9, wide, high];
}

function overlap([x, y, w, h], [a, b, c, d]) {
  return x < a + c && a < x + w && y < b + d && b < y + h;
}

function outline(context, path, theme, drawing) {
  context.beginPath();
  path.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.globalAlpha = drawing ? 0.14 : 0.06;
  context.fillStyle = theme.accent;
  context.fill();
  context.globalAlpha = 1;
  context.lineJoin = "round";
  context.lineWidth = 1.6;
  context.strokeStyle = theme.accent;
  context.setLineDash(drawing ? [] : [5, 4]);
  context.stroke();
  context.setLineDash([]);
}

/** A point that lies under a picture. */
function dot(context, at, colour, theme) {
  context.beginPath();
  context.arc(...at, 4.5, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = theme.background;
  context.stroke();
}

/** The pen's path as a line that is seen on any ground. */
function ring(context, theme) {
  context.lineWidth = 4.5;
  context.strokeStyle = theme.background;
  context.stroke();
  context.lineWidth = 2.2;
  context.strokeStyle = theme.text;
  context.stroke();
}

/** A step through 0..n-1 that meets every number once, far from its neighbours. */
function coprime(n) {
  let stride = Math.max(1, Math.floor(n * 0.618));
  const common = (a, b) => (b ? common(b, a % b) : a);
  while (n > 1 && common(stride, n) !== 1) stride++;
  return stride;
}

/** An element with a class and a text, put into its parent. */
export function make(tag, name = "", parent = null, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  parent?.append(element);
  return element;
}
