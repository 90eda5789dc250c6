// One WebGL context an instance, shared by its panels, given back when it goes.

import { createRenderer, createSpatialIndex } from "regl-scatterplot";

/** Whether this browser can draw the points at all, and if not, why. */
export function whyNot() {
  const gl = document.createElement("canvas").getContext("webgl");
  if (!gl) return "WebGL, by which the browser draws the points, is switched off or missing.";
  const lacking = ["OES_texture_float"].filter((name) => !gl.getExtension(name));
  release(gl);
  return lacking.length ? "This browser's WebGL lacks floating-point textures." : null;
}

function release(gl) {
  gl.getExtension("WEBGL_lose_context")?.loseContext();
}

/**
 * A renderer that is as large as the largest panel, with `fit` and `free`.
 * @param {() => void} onLost - the browser took the context away
 */
export function makeRenderer(onLost) {
  const canvas = document.createElement("canvas");
  const renderer = createRenderer({ canvas, gamma: 1 });
  const gl = renderer.regl._gl;
  canvas.addEventListener("webglcontextlost", onLost, { once: true });
  let [width, height] = [0, 0];
  return {
    renderer,
    canvas,
    fit(w, h) {
      if (w <= width && h <= height) return;
      [width, height] = [Math.max(w, width), Math.max(h, height)];
      renderer.resize(Math.ceil(width), Math.ceil(height));
    },
    refit() {
      if (width) renderer.resize(Math.ceil(width), Math.ceil(height));
    },
    free() {
      canvas.removeEventListener("webglcontextlost", onLost);
      renderer.destroy();
      release(gl);
    },
  };
}

// The library's own index is for its own hit test, which cannot see into a shadow root; ours is in
// geometry.js. Handing in this one spares building another of every point.
let unused;
export async function unusedIndex() {
  unused ??= await createSpatialIndex([[0, 0]]);
  return unused;
}
