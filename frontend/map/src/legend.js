// The legend: what a colour means, how many images have it, and switches.

import { make } from "./panel.js";

export class Legend {
  /** @param {object} owner - `entries`, `hidden` (Set of names), `toggle`, `only`, `all` */
  constructor(owner, element) {
    Object.assign(this, { owner, element });
  }

  /** Build anew: another colouring or theme. */
  build() {
    const { colouring } = this.owner;
    this.element.replaceChildren();
    const head = make("div", "legend-head", this.element);
    make("h2", "title", head, colouring.title);
    this.all = make("button", "plain", head, "Show all");
    this.all.type = "button";
    this.all.addEventListener("click", () => this.owner.all());
    if (colouring.continuous) this.#ramp();
    this.list = make("ul", "entries", this.element);
    this.rows = this.owner.entries.map((entry) => this.#row(entry));
    this.update();
  }

  #row({ name, colour, code }) {
    const row = make("li", "entry", this.list);
    const button = make("button", "switch", row);
    button.type = "button";
    make("i", "swatch", button).style.background = colour;
    make("span", "name", button, name);
    const count = make("span", "count", button);
    const only = make("button", "only", row, "only");
    only.type = "button";
    only.title = `Show ${name} alone`;
    only.setAttribute("aria-label", `Show only ${name}`);
    button.addEventListener("click", () => this.owner.toggle(name));
    only.addEventListener("click", () => this.owner.only(name));
    return { name, code, row, button, count, only };
  }

  #ramp() {
    const { low, high } = this.owner.colouring;
    const ramp = make("div", "ramp", this.element);
    const bar = make("div", "gradient", ramp);
    const stops = this.owner.palette.slice(0, 255).filter((_, i) => i % 14 === 0);
    bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    const ends = make("div", "ends", ramp);
    for (const value of [low, (low + high) / 2, high]) make("span", "", ends, short(value));
  }

  /** Counts and switches after a change. */
  update() {
    const { hidden, counts, chosen } = this.owner;
    this.all.hidden = hidden.size === 0;
    for (const { name, code, row, button, count, only } of this.rows) {
      const on = !hidden.has(name);
      button.setAttribute("aria-pressed", String(on));
      button.title = on ? `Hide ${name}` : `Show ${name}`;
      row.classList.toggle("off", !on);
      const total = counts[code].toLocaleString("en");
      count.textContent = chosen ? `${chosen[code].toLocaleString("en")} of ${total}` : total;
      only.hidden = this.rows.length < 2;
    }
  }
}

function short(value) {
  return Number(value.toPrecision(3)).toLocaleString("en");
}
