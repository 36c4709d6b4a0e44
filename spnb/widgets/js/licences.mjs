// The licence texts of everything that is bundled: what package-lock.json installs for use, as far as it is no tool.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";

const TEXTS = /^(licen[cs]e|copying|notice)/i;

/** One text: each package with version, licence and the texts that came with it. */
export async function licences(folder) {
  const lock = JSON.parse(await readFile(path.join(folder, "package-lock.json"), "utf8"));
  const used = Object.entries(lock.packages).filter(([place, found]) => place && !found.dev && !found.optional);
  const parts = ["Third-party software in the JavaScript files of this folder.\nMade by `npm run build`; do not edit.\n"];
  for (const [place, found] of used.sort(([one], [other]) => (one < other ? -1 : 1))) {
    const home = path.join(folder, place);
    const names = (await readdir(home)).filter((name) => TEXTS.test(name)).sort();
    const texts = await Promise.all(names.map((name) => readFile(path.join(home, name), "utf8")));
    const facts = JSON.parse(await readFile(path.join(home, "package.json"), "utf8"));
    const author = typeof facts.author === "string" ? facts.author : (facts.author?.name ?? "its authors");
    const text = texts.length ? texts.join("\n\n") : `(no text comes with it; ${facts.license}, by ${author})`;
    const title = `${place.slice(place.lastIndexOf("node_modules/") + 13)} ${found.version} (${found.license ?? facts.license})`;
    parts.push(`${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`);
  }
  return parts.join("\n");
}
