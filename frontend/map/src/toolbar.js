// Tools above the panels: what dragging does, zoom, density.

import { make } from "./panel.js";

const ICONS = {
  move: "M12 2l3 3h-2v6h6V9l3 3-3 3v-2h-6v6h2l-3 3-3-3h2v-6H5v2l-3-3 3-3v2h6V5H9z",
  turn: "M12 4a8 8 0 1 1-7.4 5h2.2A6 6 0 1 0 12 6v3L7.5 5 12 1z",
  lasso:
    "M12 4c5 0 9 2.4 9 5.5S17 15 12 15c-1 0-2-.1-3-.3.2 1.5-.4 2.9-1.8 3.8l.3 2-1.5.2-.3-2.2" +
    "C3.9 18.300 3 17 3.200 15.700c.1-1 .8-1.900 1.700-2.300C3.700 12.400 3 11 3 9.500 3 6.400 7 4 12 4z" +
    "m0 1.800C8 5.800 4.900 7.500 4.900 9.500S8 13.200 12 13.200s7.100-1.700 7.100-3.700S16 5.800 12 5.800z",
  box: "M4 4h4v2H6v2H4zm6 0h4v2h-4zm6 0h4v4h-2V6h-2zM4 10h2v4H4zm14 0h2v4h-2zM4 16h2v2h2v2H4zm6 2h4v2h-4zm8-2h2v4h-4v-2h2z",
  reset: "M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4zM9 9h6v6H9z",
  density:
    "M12 5c5 0 9 3 9 7s-4 7-9 7-9-3-9-7 4-7 9-7zm0 2c-4 0-7 2.200-7 5s3 5 7 5 7-2.200 7-5-3-5-7-5z" +
    "m0 2.500c2.500 0 4.500 1.100 4.500 2.500s-2 2.500-4.500 2.500-4.500-1.100-4.500-2.500 2-2.500 4.500-2.500z",
};
const TOOLS = {
  turn: ["Turn", "Drag to turn the map"],
  move: ["Move", "Drag to move the map, turn the wheel to zoom. Shift and drag draws a lasso"],
  lasso: ["Lasso", "Draw around images to choose them"],
  box: ["Box", "Drag a box over images to choose them"],
};

export class Toolbar {
  /** @param {object} owner - `tool`, `use(tool)`, `showDensity`, `toggleDensity()`, `panels` */
  constructor(owner, element) {
    this.owner = owner;
    const group = make("div", "group", element);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "What dragging does");
    this.tools = Object.entries(TOOLS)
      .filter(([name]) => name !== "turn" || owner.deep)
      .map(([name, [label, tip]]) => {
        const button = buttonOf(group, name, label, tip, () => owner.use(name));
        return [name, button];
      });
    const views = make("div", "group", element);
    const each = (act) => () => owner.panels.forEach(act);
    buttonOf(
      views,
      null,
      "−",
      "Zoom out",
      each((panel) => panel.zoom(1 / 1.5)),
    );
    buttonOf(
      views,
      null,
      "+",
      "Zoom in",
      each((panel) => panel.zoom(1.5)),
    );
    buttonOf(
      views,
      "reset",
      "Reset view",
      "Back to the view of everything",
      each((p) => p.reset()),
    );
    const layers = make("div", "group", element);
    const tip = "Shade where many images lie, in their mean colour";
    this.density = buttonOf(layers, "density", "Density", tip, () => owner.toggleDensity());
    this.update();
  }

  update() {
    for (const [name, button] of this.tools) {
      button.setAttribute("aria-pressed", String(name === this.owner.tool));
    }
    this.density.setAttribute("aria-pressed", String(this.owner.showDensity));
  }
}

function buttonOf(parent, icon, label, tip, act) {
  const button = make("button", "tool", parent);
  button.type = "button";
  button.title = tip;
  if (icon)
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
  else button.setAttribute("aria-label", tip);
  make("span", "", button, label);
  button.addEventListener("click", act);
  return button;
}
