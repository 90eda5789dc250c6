// The card of the image under the pointer. It is asked for after a short dwell, through the
// courier (a second, tiny component whose fragment runs alone), and kept while the page rests.

import { make } from "./panel.js";

const DWELL = 60; // ms
const PATIENCE = 3000; // ms until an unanswered question is put again
const KEPT = 300; // cards

export class Cards {
  constructor(root, announce) {
    this.element = make("div", "card", root);
    this.element.popover = "manual";
    this.announce = announce;
    this.known = new Map();
    this.wanted = -1;
    this.asked = null;
  }

  /** Show the card of image `i` beside `where()` ([x, y] on the page), soon; -1 hides it. */
  want(i, where, loudly) {
    this.where = where;
    this.loudly = loudly;
    if (i === this.wanted) return;
    this.wanted = i;
    clearTimeout(this.dwell);
    if (i < 0) return this.hide();
    if (this.known.has(i)) return this.#show(this.known.get(i));
    this.hide();
    this.dwell = setTimeout(() => this.#ask(), DWELL);
  }

  #ask() {
    if (!this.courier || this.wanted < 0 || this.known.has(this.wanted)) return;
    if (this.asked && performance.now() - this.asked.when < PATIENCE) return;
    this.asked = { index: this.wanted, when: performance.now() };
    this.courier.ask(this.wanted);
  }

  /** A card has come. */
  receive(card, bytes) {
    this.asked = null;
    if (card.size) card.url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    this.known.set(card.index, card);
    if (this.known.size > KEPT) this.#forget(this.known.keys().next().value);
    if (card.index === this.wanted) this.#show(card);
    else this.#ask();
  }

  /** Cards can have changed: the page has run again. */
  forget() {
    for (const i of [...this.known.keys()]) if (i !== this.wanted) this.#forget(i);
    this.asked = null;
  }

  #forget(i) {
    const { url } = this.known.get(i);
    if (url) URL.revokeObjectURL(url);
    this.known.delete(i);
  }

  #show(card) {
    if (card.empty) return this.hide();
    this.element.replaceChildren();
    if (card.url) {
      const image = make("img", "", this.element);
      image.alt = "";
      image.src = card.url;
    }
    const body = make("div", "body", this.element);
    make("strong", "", body, card.title);
    for (const line of card.lines) make("p", "", body, line);
    for (const bar of card.bars) body.append(barOf(bar));
    if (this.loudly) this.announce([card.title, ...card.lines].join(". "));
    this.element.showPopover?.();
    this.#place();
  }

  #place() {
    const [x, y] = this.where();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const beside = x + 18 + width < innerWidth ? x + 18 : x - 18 - width;
    const level = Math.max(8, Math.min(innerHeight - height - 8, y - height / 3));
    this.element.style.left = `${Math.max(8, beside)}px`;
    this.element.style.top = `${level}px`;
  }

  hide() {
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }

  free() {
    clearTimeout(this.dwell);
    this.wanted = -1;
    this.forget();
  }
}

function barOf([name, share, colour]) {
  const row = make("div", "bar");
  make("span", "", row, name);
  const track = make("span", "track", row);
  const fill = make("i", "", track);
  fill.style.width = `${Math.max(1, 100 * share)}%`;
  fill.style.background = colour;
  make("span", "share", row, `${Math.round(100 * share)} %`);
  return row;
}
