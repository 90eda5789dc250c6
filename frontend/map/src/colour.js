// Colours: of the theme, of the scale, of what has no colour.

export const NONE = 255;

/** What the page's theme says, out of Streamlit's CSS variables. */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const background = read("background-color", "#ffffff");
  const dark = lightness(rgb(background)) < 0.5;
  return {
    dark,
    background,
    ground: `color-mix(in srgb, ${background} ${dark ? "70%, black" : "60%, white"})`,
    text: read("text-color", dark ? "#eeeeee" : "#222222"),
    accent: read("link-color", read("primary-color", "#4b4377")),
    none: dark ? "#6d6a64" : "#b3aea4",
  };
}

/** [0-255, 0-255, 0-255] of "#rrggbb", "#rgb" or "rgb(...)". */
export function rgb(text) {
  if (text.startsWith("#")) {
    const short = text.length < 7;
    return [0, 1, 2].map((i) =>
      short ? parseInt(text[i + 1], 16) * 17 : parseInt(text.slice(2 * i + 1, 2 * i + 3), 16),
    );
  }
  return (text.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
}

function lightness([r, g, b]) {
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/**
 * The continuous scale: even steps of lightness and hue in OKLCH, so that equal differences look
 * equal. The high end stands out from the background in both themes.
 * @returns {string[]} 255 colours, low to high
 */
export function scale(dark) {
  const [from, to] = dark ? [0.42, 0.93] : [0.86, 0.33];
  return Array.from({ length: NONE }, (_, i) => {
    const t = i / (NONE - 1);
    const hue = dark ? 290 - 185 * t : 105 + 185 * t;
    return oklch(from + (to - from) * t, 0.125 - 0.03 * Math.cos(2 * Math.PI * t), hue);
  });
}

/** Björn Ottosson's OKLab to sRGB, clipped to what a screen can show. */
function oklch(l, chroma, degrees) {
  const angle = (degrees * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return hex([
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ]);
}

function hex(linear) {
  const parts = linear.map((value) => {
    const c = Math.max(0, Math.min(1, value));
    const gamma = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
    return Math.round(255 * gamma)
      .toString(16)
      .padStart(2, "0");
  });
  return `#${parts.join("")}`;
}
