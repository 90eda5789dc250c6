// The cards of images: of the one under the pointer, asked for after a short dwell, and of those
// that are pictures on a map, asked for together when the view rests. They come through the courier
// (a second, tiny component whose fragment runs alone) and are kept; words only until the page runs.

import { make } from "./panel.js";
import { MOST, REST } from "./thumbs.js";

const DWELL = 60; // ms
const PATIENCE = 3000; // ms until an unanswered question is put again
const KEPT = 300; // cards

export class Cards {
  /**
   * @param {(text: string) => void} announce - says it aloud
   * @param {() => void} arrived - there are pictures that were lacking
   */
  constructor(root, announce, arrived) {
    this.element = make("div", "card", root);
    this.element.popover = "manual";
    Object.assign(this, { announce, arrived });
    this.lacking = [];
    this.known = new Map();
    this.wanted = -1;
    this.asked = -Infinity;
  }

  /** Show the card of image `i` beside `where()` ([x, y] on the page), soon; -1 hides it. */
  want(i, where, loudly) {
    this.where = where;
    this.loudly = loudly;
    if (i === this.wanted) return;
    this.wanted = i;
    clearTimeout(this.dwell);
    if (i < 0) return this.hide();
    if (this.#fresh) return this.#show(this.known.get(i));
    this.hide();
    this.dwell = setTimeout(() => this.#askWanted(), DWELL);
  }

  get #fresh() {
    return this.known.has(this.wanted) && !this.known.get(this.wanted).old;
  }

  #askWanted() {
    if (this.wanted >= 0 && !this.#fresh) this.#ask([this.wanted]);
  }

  #ask(indices) {
    if (!indices.length || !this.courier || performance.now() - this.asked < PATIENCE) return;
    this.asked = performance.now();
    this.courier.ask(indices);
  }

  /** Address of the picture of image `i`: null where it has none, undefined where none has come. */
  picture(i) {
    const card = this.known.get(i);
    if (!card) return undefined;
    this.known.delete(i); // so that it is the last to be forgotten
    this.known.set(i, card);
    return card.url ?? null;
  }

  /** Panel `number` would show the pictures of these images, which are not here. */
  lack(number, indices) {
    this.lacking[number] = indices;
    if (!indices.length) return;
    this.resting ??= setTimeout(() => {
      this.resting = null;
      this.#ask([...new Set(this.lacking.flat())].slice(0, MOST));
    }, REST);
  }

  /** A view has moved; it does not rest yet. */
  moved() {
    clearTimeout(this.resting);
    this.resting = null;
  }

  /** Cards have come. */
  receive(cards) {
    this.asked = -Infinity;
    for (const { bytes, ...card } of cards) {
      if (this.known.has(card.index)) this.#forget(card.index);
      if (card.size) card.url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
      this.known.set(card.index, card);
      if (this.known.size > KEPT) this.#forget(this.known.keys().next().value);
    }
    const wanted = cards.some(({ index }) => index === this.wanted);
    if (wanted) this.#show(this.known.get(this.wanted));
    else this.#askWanted();
    this.arrived();
  }

  /**
   * The page has run again: words can have changed, what had no picture can have one, and an
   * answer that was under way does not come any more.
   */
  age() {
    for (const [i, card] of [...this.known]) {
      if (card.url || i === this.wanted) card.old = i !== this.wanted;
      else this.#forget(i);
    }
    this.asked = -Infinity;
    this.#askWanted();
    this.arrived();
  }

  /** The images are others. */
  forget() {
    this.want(-1, null, false);
    this.moved();
    for (const i of [...this.known.keys()]) this.#forget(i);
    this.lacking = [];
    this.asked = -Infinity;
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
