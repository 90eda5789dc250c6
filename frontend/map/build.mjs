// Bundles src/ into the Python package, with the licences of every package inside.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const target = join(import.meta.dirname, "../../emoviz/ui/map/bundle");
const common = {
  bundle: true,
  minify: !process.argv.includes("--readable"),
  format: "esm",
  target: "es2022",
  legalComments: "none",
  // A second line, too: Streamlit takes a text of one line for the name of a file.
  banner: Object.fromEntries(
    ["js", "css"].map((kind) => [kind, "/* Built from frontend/map; THIRD_PARTY_LICENSES.txt. */"]),
  ),
};

await build({
  ...common,
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/map.js", "src/courier.js", "src/map.css"],
  outdir: target,
  // regl without its checks of arguments, which are for those who write shaders.
  alias: { regl: "regl/dist/regl.unchecked.js" },
});

// regl-scatterplot comes with its own dependencies bundled, so every package that is not a tool of
// ours counts. KDBush is copied into its sources; the notice is in that file's head.
const lock = JSON.parse(readFileSync(join(import.meta.dirname, "package-lock.json"), "utf8"));
const folders = Object.entries(lock.packages)
  .filter(([path, { dev }]) => path && !dev)
  .map(([path]) => join(import.meta.dirname, path));
const notices = folders.map((folder) => {
  const { name, version, license, author } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  const file = readdirSync(folder).find((item) => /^licen[cs]e/i.test(item));
  const by = typeof author === "string" ? author : author?.name;
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Copyright ${by}`;
  return `${name} ${version} (${license})\n\n${text}\n`;
});
const kdbush = readFileSync(
  join(import.meta.dirname, "node_modules/regl-scatterplot/src/kdbush-class.js"),
  "utf8",
).match(/\/\*\*([\s\S]*?)\*\//)[1];
notices.push(`KDBush, inside regl-scatterplot (ISC)\n${kdbush.replace(/^ \* ?@?/gm, "")}`);
writeFileSync(join(target, "THIRD_PARTY_LICENSES.txt"), notices.join(`\n${"-".repeat(78)}\n\n`));
