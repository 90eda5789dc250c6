// Small pictures in the place of points, where few enough are in view to have one each. They are
// decoration: what is under the pointer or reached by keys, and what is read aloud, are points.

export const MOST = 80; // points in view that can become pictures
export const REST = 150; // ms without a move until a view rests
export const NEAR = 1.25; // times as large as the view that shows everything, at least
const SIDE = 48; // px of a picture with its ring

export class Thumbs {
  constructor(layer) {
    this.layer = layer;
    layer.setAttribute("aria-hidden", "true");
    this.shown = new Map();
    this.covered = [];
  }

  /**
   * Put pictures at their places; those that would overlap an earlier one stay points.
   * @param {{i: number, at: number[], colour: string, faint: boolean}[]} points - in view
   * @param {(i: number) => string | null | undefined} pictureOf - null: has none; undefined: not here
   * @returns {number[]} images whose picture is not here
   */
  put(points, pictureOf) {
    const [taken, lacking, kept] = [[], [], new Map()];
    for (const { i, at, colour, faint } of points) {
      const free = !taken.some((other) => near(other, at, SIDE));
      const url = free ? pictureOf(i) : null;
      if (url === null) continue;
      taken.push(at);
      if (!url) {
        lacking.push(i);
        continue;
      }
      const image = this.shown.get(i)?.image ?? this.#make();
      if (image.src !== url) image.src = url;
      image.style.transform = `translate(${at[0]}px, ${at[1]}px)`;
      image.style.borderColor = colour;
      image.classList.toggle("faint", faint);
      kept.set(i, { image, at });
    }
    for (const [i, { image }] of this.shown) if (!kept.has(i)) image.remove();
    this.shown = kept;
    this.covered = points.filter(({ i, at }) => !kept.has(i) && this.over(at) >= 0);
    return lacking;
  }

  #make() {
    const image = document.createElement("img");
    image.className = "thumb";
    image.alt = "";
    this.layer.append(image);
    return image;
  }

  /** The image whose picture is at a pixel; -1 without one. */
  over(pixel) {
    for (const [i, { at }] of this.shown) if (near(at, pixel, SIDE / 2)) return i;
    return -1;
  }

  /** A line around the picture of image `i`, for the pen's path. */
  frame(pen, i) {
    const [x, y] = this.shown.get(i).at;
    pen.roundRect(x - SIDE / 2 - 2, y - SIDE / 2 - 2, SIDE + 4, SIDE + 4, 8);
  }
}

function near([x, y], [a, b], least) {
  return Math.abs(x - a) < least && Math.abs(y - b) < least;
}
