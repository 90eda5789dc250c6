// Bundles the deep zoom into the Python package, with its licence.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const target = join(import.meta.dirname, "../../emoviz/ui/review/desk/bundle");
const library = join(import.meta.dirname, "node_modules/openseadragon");

await build({
  bundle: true,
  minify: !process.argv.includes("--readable"),
  format: "iife",
  globalName: "DeepZoom",
  target: "es2022",
  legalComments: "none",
  banner: { js: "/* Built from frontend/desk; THIRD_PARTY_LICENSES.txt. */" },
  absWorkingDir: import.meta.dirname,
  entryPoints: ["src/zoom.js"],
  outdir: target,
});

const { name, version, license } = JSON.parse(readFileSync(join(library, "package.json"), "utf8"));
const text = readFileSync(join(library, "LICENSE.txt"), "utf8").trim();
writeFileSync(join(target, "THIRD_PARTY_LICENSES.txt"), `${name} ${version} (${license})\n\n${text}\n`);
