// The map: one or two linked panels, a legend and tools. Streamlit calls the default export again
// whenever the data or the theme are new; everything is kept by the element it lives in.

import { NONE, scale, themeOf } from "./colour.js";
import { Cards } from "./card.js";
import { Legend } from "./legend.js";
import { BRIGHT, DIMMED, HIDDEN, make, NORMAL, Panel } from "./panel.js";
import { decode } from "./payload.js";
import { makeRenderer, whyNot } from "./renderer.js";
import { Toolbar } from "./toolbar.js";

const maps = new WeakMap();
// Maps and couriers of this page, by key; shared with courier.js.
const meeting = (globalThis.__emovizMaps ??= new Map());

export default function render({ data, parentElement, setStateValue }) {
  let map = maps.get(parentElement);
  if (!map) maps.set(parentElement, (map = new EmotionMap(parentElement)));
  map.send = (state) => setStateValue("state", state);
  map.update(data);
  return () => {
    maps.delete(parentElement);
    map.free();
  };
}

class EmotionMap {
  constructor(parent) {
    this.root = make("div", "map", parent);
    this.hidden = new Set();
    this.region = null;
    this.hovered = -1;
    this.clicked = -1;
    this.showDensity = false;
    this.panels = [];
    this.urls = [];
    this.tools = make("div", "toolbar", this.root);
    this.body = make("div", "body-grid", this.root);
    this.stages = make("div", "panels", this.body);
    this.legend = new Legend(this, make("div", "legend", this.body));
    this.status = make("div", "status", this.root);
    this.said = make("p", "said", this.root);
    this.said.setAttribute("aria-live", "polite");
    this.cards = new Cards(
      this.root,
      (text) => this.say(text),
      () => this.panels.forEach((panel) => panel.paint()),
    );
    this.observer = new ResizeObserver(() => this.resize());
    this.#watchRatio();
  }

  // From Python --------------------------------------------------------------------------------

  update(data) {
    const packet = decode(data);
    const same = packet.header.digest === this.header?.digest;
    const theme = themeOf(this.root);
    const retinted = JSON.stringify(theme) !== JSON.stringify(this.theme);
    this.theme = theme;
    this.root.style.setProperty("--ground", theme.ground);
    if (same && !retinted) return;
    if (!same) this.#take(packet);
    this.#colours();
    if (!same && this.#changed(packet.header.geometry)) this.#build(packet);
    else this.#dress();
    this.legend.build();
    this.refresh(false);
  }

  /** Whether the positions are others; a selection among the old ones has no meaning then. */
  #changed(geometry) {
    if (geometry === this.geometry) return false;
    if (this.geometry) this.region = null;
    this.cards.forget();
    this.geometry = geometry;
    return true;
  }

  /** Same positions: other colours, titles, marks or pins. The views stay where they are. */
  #dress() {
    const spent = this.urls;
    this.urls = [];
    this.root.style.setProperty("--height", `${this.header.height}px`);
    this.panels.forEach((panel, number) => {
      panel.describe(this.header.panels[number]);
      panel.recolour();
    });
    spent.forEach((url) => URL.revokeObjectURL(url));
  }

  #take(packet) {
    const { header } = packet;
    this.header = header;
    this.count = header.count;
    this.colouring = header.colouring;
    this.codes = packet.uint8(header.codes, header.count);
    this.highlighted =
      header.highlighted === null
        ? null
        : bits(packet.uint8(header.highlighted, Math.ceil(header.count / 8)));
    this.packet = packet;
    this.#meet(header.key);
  }

  #meet(key) {
    this.key = key;
    const place = meeting.get(key) ?? {};
    meeting.set(key, place);
    place.map = this;
    this.cards.courier = place.courier;
    if (place.state) this.restore(place.state);
  }

  /** The courier has come, or has news. */
  meetCourier(courier) {
    this.cards.courier = courier;
  }

  /** Python's idea of the state, from a link or after a mount; what hands did since is newer. */
  restore({ hidden, region, clicked }) {
    const told = JSON.stringify([hidden, region, clicked ?? -1]);
    const known = JSON.stringify([[...this.hidden], this.region, this.clicked]);
    if (this.touched || told === known) return;
    this.hidden = new Set(hidden);
    this.region = region;
    this.clicked = clicked ?? -1;
    if (this.panels.length) this.refresh(false);
  }

  #colours() {
    const { continuous, categories, none } = this.colouring;
    const shades = continuous ? scale(this.theme.dark) : categories.map(({ colour }) => colour);
    this.palette = Array.from({ length: NONE + 1 }, (_, i) => shades[i] ?? this.theme.none);
    this.names = Array.from({ length: NONE + 1 }, (_, i) =>
      continuous && i < NONE ? "" : (categories[i]?.name ?? none),
    );
    this.counts = new Array(NONE + 1).fill(0);
    for (const code of this.codes) this.counts[code]++;
    this.entries = (continuous ? [] : categories).map((item, code) => ({ ...item, code }));
    if (this.counts[NONE]) this.entries.push({ name: none, colour: this.theme.none, code: NONE });
  }

  #build(packet) {
    const { header } = packet;
    this.#clearPanels();
    this.root.style.setProperty("--height", `${header.height}px`);
    this.root.classList.toggle("two", header.panels.length > 1);
    const why = whyNot();
    if (why) return this.#cannot(why);
    this.deep = header.panels.some(({ axes }) => axes.length === 3);
    this.tool = this.deep ? "turn" : "move";
    this.tools.replaceChildren();
    this.shared = makeRenderer(() => this.#lost());
    this.panels = header.panels.map((spec, number) => {
      const axes = spec.axes.map((offset) => packet.uint16(offset, header.count));
      return new Panel(this, spec, axes, number);
    });
    this.panels.forEach(({ element }) => this.stages.append(element));
    this.toolbar = new Toolbar(this, this.tools);
    this.use(this.tool);
    this.#choose();
    this.#arrange();
    this.observer.observe(this.root);
    this.#start();
  }

  async #start() {
    this.panels.forEach((panel) => panel.layout() && this.shared.fit(...panel.size));
    await Promise.all(this.panels.map((panel) => panel.start(this.shared)));
    this.root.dataset.drawn = this.geometry;
  }

  /** Browsers take contexts away, from sleeping machines too. Drawing anew gets another one. */
  #lost() {
    this.losses = (this.losses ?? 0) + 1;
    if (this.losses <= 5) setTimeout(() => this.header && this.#build(this.packet), 50);
  }

  #cannot(why) {
    this.tools.replaceChildren();
    const note = make("div", "cannot", this.stages);
    make("strong", "", note, "The map cannot be drawn in this browser.");
    make(
      "p",
      "",
      note,
      `${why} Switch on hardware acceleration in the browser's settings, or open this page in a current Firefox, Chrome, Edge or Safari.`,
    );
  }

  #clearPanels() {
    this.panels.forEach((panel) => panel.free());
    this.panels = [];
    this.shared?.free();
    this.shared = null;
    this.stages.replaceChildren();
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.urls = [];
  }

  /** Address of a JPEG inside the payload. */
  picture(offset, size) {
    const url = URL.createObjectURL(
      new Blob([this.packet.uint8(offset, size)], { type: "image/jpeg" }),
    );
    this.urls.push(url);
    return url;
  }

  // State --------------------------------------------------------------------------------------

  /** How point `i` is drawn. An arrow function: the panels call it for every point. */
  stateOf = (i) => {
    const code = this.codes[i];
    if (this.off[code]) return HIDDEN;
    if (this.members) {
      if (!this.members[i]) return DIMMED;
      return this.highlighted && !this.highlighted[i] ? NORMAL : BRIGHT;
    }
    if (this.highlighted) return this.highlighted[i] ? BRIGHT : DIMMED;
    return NORMAL;
  };

  #choose() {
    this.off = this.names.map((name) => name !== "" && this.hidden.has(name));
    const panel = this.region ? this.panels[this.region.panel] : null;
    this.members = panel ? panel.members(this.region) : null;
    this.chosen = this.members ? new Array(NONE + 1).fill(0) : null;
    if (!this.members) return;
    for (let i = 0; i < this.count; i++) if (this.members[i]) this.chosen[this.codes[i]]++;
  }

  /** After a change by hand: Streamlit sends in a task of its own, so drawing is put behind it. */
  change() {
    this.#send();
    setTimeout(() => this.panels.length && this.refresh(true));
  }

  /** Draw what the state says. */
  refresh(aloud) {
    this.#choose();
    this.panels.forEach((panel) => {
      panel.cloudImage = null;
      panel.redraw();
    });
    this.legend.update();
    this.#report(aloud);
  }

  #send() {
    const { hidden, region, clicked, count, geometry } = this;
    const state = {
      hidden: [...hidden],
      region,
      clicked: clicked < 0 ? null : clicked,
      count,
      geometry,
    };
    this.touched = true;
    this.send(state);
  }

  #report(aloud) {
    const total = this.counts.reduce((sum, n, code) => sum + (this.off[code] ? 0 : n), 0);
    const many = (n) => `${n.toLocaleString("en")} image${n === 1 ? "" : "s"}`;
    const chosen = this.chosen?.reduce((sum, n, code) => sum + (this.off[code] ? 0 : n), 0);
    const text = this.chosen
      ? `${chosen.toLocaleString("en")} of ${many(total)} chosen`
      : total < this.count
        ? `${many(total)} of ${this.count.toLocaleString("en")} shown`
        : `${many(total)}`;
    this.status.replaceChildren();
    make("span", "", this.status, text);
    if (this.chosen || this.clicked >= 0) {
      const button = make("button", "plain", this.status, "Clear (Esc)");
      button.type = "button";
      button.addEventListener("click", () => this.clear());
    }
    if (aloud) this.say(text);
  }

  say(text) {
    this.said.textContent = text;
  }

  select(region) {
    this.region = region;
    this.change();
  }

  click(i) {
    if (i === this.clicked) return;
    this.clicked = i;
    this.#send();
    this.#report(false);
    this.panels.forEach((panel) => panel.paint());
  }

  clear() {
    this.cards.want(-1, null, false);
    this.hovered = -1;
    if (!this.region && this.clicked < 0) {
      this.panels.forEach((panel) => panel.paint());
      return;
    }
    this.region = null;
    this.clicked = -1;
    this.change();
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.change();
  }

  only(name) {
    const others = this.entries.map((entry) => entry.name).filter((other) => other !== name);
    this.hidden = new Set(others);
    this.change();
  }

  all() {
    this.hidden.clear();
    this.change();
  }

  use(tool) {
    this.tool = tool;
    this.root.dataset.tool = tool;
    this.toolbar.update();
  }

  toggleDensity() {
    this.showDensity = !this.showDensity;
    this.toolbar.update();
    this.panels.forEach((panel) => panel.redraw());
  }

  /** A hand or a key is at point `i` of a panel; all panels ring it. */
  point(i, by, panel) {
    if (i !== this.hovered) {
      this.hovered = i;
      this.panels.forEach((other) => other.paint());
      if (by === "key" && i >= 0)
        this.say(`Image ${i + 1}, ${this.names[this.codes[i]] || "with a value"}`);
    }
    if (i >= 0) this.cards.want(i, () => panel.onPage(i), by === "key");
    else this.cards.want(-1, null, false);
  }

  /** Another screen, or the browser's own zoom. */
  #watchRatio() {
    this.ratio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.ratio.onchange = () => {
      this.#watchRatio();
      this.resize();
    };
  }

  // Place --------------------------------------------------------------------------------------

  #arrange() {
    const width = this.root.clientWidth;
    const several = this.panels.length > 1;
    this.root.classList.toggle("stacked", several && width < 620);
    this.root.classList.toggle("beside", !several && width >= 760);
    this.root.classList.toggle("narrow", width < 620);
  }

  resize() {
    this.#arrange();
    for (const panel of this.panels) {
      if (panel.layout() && panel.scatter) {
        this.shared.fit(...panel.size);
        panel.look(panel.view);
        panel.redraw();
      }
    }
  }

  free() {
    this.observer.disconnect();
    this.ratio.onchange = null;
    this.header = null;
    this.cards.forget();
    this.#clearPanels();
    const place = meeting.get(this.key);
    if (place?.map === this) {
      delete place.map;
      if (!place.courier) meeting.delete(this.key);
    }
    this.root.remove();
  }
}

function bits(packed) {
  const flags = new Uint8Array(packed.length * 8);
  for (let i = 0; i < flags.length; i++) flags[i] = (packed[i >> 3] >> (i & 7)) & 1;
  return flags;
}
