// Where images lie densely: counts on a grid, smoothed, in steps like the heights of a map. Each
// cell has the mean colour of its images.

import { square } from "./geometry.js";

const SIDE = 320;
const STEPS = 7;

/**
 * @param {(i: number) => number[] | null} colourOf - [r, g, b], or null for a point left out
 * @returns {{image: HTMLCanvasElement, left: number, low: number, width: number}}
 */
export function density(u, v, colourOf) {
  const [x, y, wide] = square(u, v);
  // Room for the blur around the outermost points.
  const [left, low, width] = [x - 0.08 * wide, y - 0.08 * wide, 1.16 * wide];
  const sums = [0, 1, 2, 3].map(() => new Float32Array(SIDE * SIDE));
  for (let i = 0; i < u.length; i++) {
    const colour = Number.isNaN(u[i]) ? null : colourOf(i);
    if (!colour) continue;
    const column = Math.min(SIDE - 1, Math.floor(((u[i] - left) / width) * SIDE));
    const row = Math.min(SIDE - 1, Math.floor(((v[i] - low) / width) * SIDE));
    const at = (SIDE - 1 - row) * SIDE + column;
    for (let c = 0; c < 3; c++) sums[c][at] += colour[c];
    sums[3][at] += 1;
  }
  return { image: painted(sums.map(smoothed)), left, low, width };
}

/** Three box blurs are nearly a Gaussian. */
function smoothed(grid) {
  let result = grid;
  for (let pass = 0; pass < 3; pass++) {
    result = boxed(result, 1, SIDE);
    result = boxed(result, SIDE, 1);
  }
  return result;
}

function boxed(grid, step, line) {
  const radius = 4;
  const result = new Float32Array(grid.length);
  for (let k = 0; k < SIDE; k++) {
    let sum = 0;
    for (let i = -radius; i < SIDE; i++) {
      if (i + radius < SIDE) sum += grid[k * line + (i + radius) * step];
      if (i - radius - 1 >= 0) sum -= grid[k * line + (i - radius - 1) * step];
      if (i >= 0) result[k * line + i * step] = sum / (2 * radius + 1);
    }
  }
  return result;
}

function painted([red, green, blue, count]) {
  const image = document.createElement("canvas");
  image.width = image.height = SIDE;
  const context = image.getContext("2d");
  const pixels = context.createImageData(SIDE, SIDE);
  const most = count.reduce((high, value) => Math.max(high, value), 0);
  for (let i = 0; i < count.length; i++) {
    const n = count[i];
    // The root, so that thin regions are seen beside dense ones.
    const step = Math.ceil(Math.sqrt(n / most) * STEPS - 0.5);
    if (!(step > 0) || n <= 0) continue;
    pixels.data.set([red[i] / n, green[i] / n, blue[i] / n, (190 * step) / STEPS + 40], 4 * i);
  }
  context.putImageData(pixels, 0, 0);
  return image;
}
