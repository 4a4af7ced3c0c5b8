import { readdirSync, readFileSync } from "node:fs";
import { parseJson } from "jobbroker";

const root = new URL("../../../../proto/vectors/", import.meta.url);

/** The vectors of one file under proto/vectors; integers are exact. */
export function vectors(path) {
  return parseJson(readFileSync(new URL(path, root), "utf8"));
}

/** The names of the files in a folder under proto/vectors. */
export function vectorFiles(folder) {
  return readdirSync(new URL(`${folder}/`, root)).filter((name) => name.endsWith(".json")).map((name) => `${folder}/${name}`);
}
