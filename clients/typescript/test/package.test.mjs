// The package as its users get it: packed, unpacked into a project's node_modules, required, imported, compiled against.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
let project;

function run(program, ...args) {
  return execFileSync(program, args, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/** Debian's nodejs comes without npm: then what npm would pack is copied. */
function hasNpm() {
  try {
    execFileSync("npm", ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

before(() => {
  project = mkdtempSync(join(tmpdir(), "jobbroker-package-"));
  const target = join(project, "node_modules/jobbroker");
  mkdirSync(target, { recursive: true });
  if (!hasNpm()) {
    const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["package.json", ...files]) cpSync(join(root, name), join(target, name), { recursive: true });
    return;
  }
  // The package was built before the tests, which are at it: --ignore-scripts.
  execFileSync(
    "npm", ["pack", "--ignore-scripts", "--offline", "--silent", "--pack-destination", project],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const [archive] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
  run("tar", "-xzf", archive, "-C", target, "--strip-components=1");
});

after(() => rmSync(project, { recursive: true, force: true }));

describe("the packed package", () => {
  it("holds what is needed and nothing else", () => {
    assert.deepEqual(readdirSync(join(project, "node_modules/jobbroker")).sort(), ["README.md", "dist", "package.json"]);
  });

  it("can be required and imported, and is one package then", () => {
    writeFileSync(join(project, "both.mjs"), `
      import { createRequire } from "node:module";
      import * as imported from "jobbroker";
      const required = createRequire(import.meta.url)("jobbroker");
      const differing = Object.keys(required).filter((name) => imported[name] !== required[name]);
      console.log(JSON.stringify({ differing, names: Object.keys(required).length, more: Object.keys(imported).length }));
    `);
    const { differing, names, more } = JSON.parse(run("node", "both.mjs"));
    assert.deepEqual([differing, names > 5, more], [[], true, names]);
    writeFileSync(join(project, "required.cjs"), 'console.log(typeof require("jobbroker").BrokerJobStore)');
    assert.equal(run("node", "required.cjs"), "function\n");
  });

  // lib "DOM" has AbortSignal and console for a user without @types/node; the package's own types are checked with it.
  for (const [module, moduleResolution, file] of [
    ["CommonJS", "node", "consumer.ts"], ["Node16", "node16", "consumer.cts"], ["Node16", "node16", "consumer.mts"],
  ]) {
    it(`compiles strictly with ${file}, resolved as ${moduleResolution}`, () => {
      copyFileSync(join(root, "test/types/consumer.ts"), join(project, file));
      run(
        "tsc", "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "ES2022",
        "--lib", "ES2022,DOM", "--module", module, "--moduleResolution", moduleResolution, file);
    });
  }
});
