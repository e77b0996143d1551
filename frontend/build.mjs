// Builds everything that pages need in a browser into pepay_core/web/static, the same bytes from the same sources every time.
//
//   npm ci && npm run build
//
// PEPAY_STATIC names another folder to build into, for comparing.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import subsetFont from "subset-font";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.PEPAY_STATIC ?? join(here, "../pepay_core/web/static");
mkdirSync(out, { recursive: true });

// Every script is one file without imports at run time: a page asks for nothing that it was not told of.
const scripts = ["checkout", "embed", "passkeys"];

await build({
  absWorkingDir: here,
  entryPoints: scripts.map((name) => `${name}.ts`),
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});

// Inter, with the letters of the Latin languages that the pages speak and the weights that they use; other scripts have the system's fonts.
const range = (from, to) => String.fromCodePoint(...Array.from({ length: to - from + 1 }, (_, at) => from + at));
const inter = (part) => readFileSync(join(here, `node_modules/@fontsource-variable/inter/files/inter-${part}-wght-normal.woff2`));
const weights = { targetFormat: "woff2", variationAxes: { wght: { min: 400, max: 700, default: 400 } } };
const latin = `${range(0x20, 0x7e)}${range(0xa0, 0xff)}‐–—‘’“”„…•′″€™−×→↗≈`;
const versions = {};
const extended = "ĄąĆćĘęŁłŃńŚśŹźŻżĞğİıŞşŒœŸĳĲ₹₺₽₩₫₴₪";

for (const [name, part, letters] of [
  ["inter.woff2", "latin", latin],
  ["inter-extended.woff2", "latin-ext", extended],
]) {
  const cut = await subsetFont(inter(part), letters, weights);
  writeFileSync(join(out, name), cut);
  versions[part] = createHash("sha256").update(cut).digest("hex").slice(0, 12);
}
execFileSync(
  process.execPath,
  [join(here, "node_modules/@tailwindcss/cli/dist/index.mjs"), "--input", "checkout.css", "--output", join(out, "checkout.css"), "--minify"],
  { cwd: here, stdio: ["ignore", "ignore", "inherit"] },
);

// The address of a font changes with the font, and is the one that the page asks for ahead of time.
const sheet = join(out, "checkout.css");
writeFileSync(sheet, readFileSync(sheet, "utf8").replaceAll("v=INTER", `v=${versions["latin"]}`).replaceAll("v=EXTENDED", `v=${versions["latin-ext"]}`));
copyFileSync(join(here, "node_modules/@fontsource-variable/inter/LICENSE"), join(out, "inter-license.txt"));
