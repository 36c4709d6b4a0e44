// Bundles the widgets into ../static. With --check nothing is written: it fails where the built files differ.
import { readFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { licences } from "./licences.mjs";

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const target = path.join(here, "..", "static");
const check = process.argv.includes("--check");
const outdir = check ? await mkdtemp(path.join(tmpdir(), "spnb-widgets-")) : target;
const names = [
  ...["hub", "createRoom", "goLive", "liveNow", "roomStatus", "player", "cameraPreview", "studio", "roomTable", "roomCard"],
  ...["viewerCount", "companion", "recordingPlayer", "webhookInspector", "faults", "chat", "doctor"],
  ...["charts", "dashboard", "streamReport", "liveDashboard"],
];

// A page cannot load a worker of another origin's: its text travels within the modules that make it.
const workers = await build({
  absWorkingDir: here,
  entryPoints: ["src/portWorker.ts", "src/frameWorker.ts"],
  outdir: ".",
  write: false,
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
const [port, frames] = workers.outputFiles.map(({ text }) => JSON.stringify(text));
await build({
  absWorkingDir: here,
  define: { PORT_WORKER: port, FRAME_WORKER: frames },
  entryPoints: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
  outdir,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { spnb: "src/spnb.css" },
  outdir,
  bundle: true,
  minify: true,
  logLevel: "warning",
});
await writeFile(path.join(outdir, "THIRD_PARTY_LICENSES.txt"), await licences(here));

if (check) {
  const stale = [];
  for (const name of [...names.map((name) => `${name}.js`), "spnb.css", "THIRD_PARTY_LICENSES.txt"]) {
    const [fresh, kept] = await Promise.all([
      readFile(path.join(outdir, name), "utf8"),
      readFile(path.join(target, name), "utf8").catch(() => ""),
    ]);
    if (fresh !== kept) stale.push(name);
  }
  await rm(outdir, { recursive: true });
  if (stale.length) {
    console.error(`built files do not match their sources: ${stale.join(", ")} (run npm run build)`);
    process.exit(1);
  }
  console.log("built files match their sources");
}
