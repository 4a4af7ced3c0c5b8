// Builds dist/: CommonJS with its types by tsc, and an ES module that hands on the same objects, so that a process which
// uses both has one package and not two.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync("tsc", ["--project", root], { stdio: ["ignore", 2, 2] });

const names = Object.keys(createRequire(import.meta.url)(`${root}dist/index.js`)).sort();
writeFileSync(`${root}dist/index.mjs`, [
  'import jobbroker from "./index.js";',
  `export const { ${names.join(", ")} } = jobbroker;`,
  "",
].join("\n"));
writeFileSync(`${root}dist/index.d.mts`, 'export * from "./index.js";\n');
