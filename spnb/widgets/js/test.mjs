// Bundles each test with what it imports, and has Node's own runner run them.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { build } from "esbuild";

const here = path.dirname(new URL(import.meta.url).pathname);
const tests = (await readdir(path.join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
// Inside the folder, so that packages are found from there.
const outdir = await mkdtemp(path.join(here, "node_modules", ".test-"));
await build({
  absWorkingDir: here,
  entryPoints: tests.map((name) => `test/${name}`),
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, ["--test", "--test-force-exit", ...tests.map((name) => path.join(outdir, name.replace(".ts", ".mjs")))], {
  stdio: "inherit",
});
await rm(outdir, { recursive: true });
process.exit(status ?? 1);
