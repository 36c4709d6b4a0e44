// Bundles the vendor's SDK and Web UIKit for a browser. What React Native gives the SDK (storage, network state, ids)
// is given by a few lines each; the vendor's own code is not touched.
import { build } from "esbuild";

const here = new URL(".", import.meta.url).pathname;
const sdk = "@amityco/ts-sdk-react-native";
const alias = {
  "react-native": `${here}stubs/react-native.js`,
  "@react-native-async-storage/async-storage": `${here}stubs/async-storage.js`,
  "@react-native-community/netinfo": `${here}stubs/netinfo.js`,
  "react-native-uuid": `${here}stubs/uuid.js`,
  agentkeepalive: `${here}stubs/http-agent.js`,
};
const common = {
  bundle: true,
  platform: "browser",
  format: "esm",
  target: "chrome120",
  outdir: `${here}bundles`,
  define: { "process.env.NODE_ENV": '"production"', global: "globalThis", "process.env": "{}" },
  loader: { ".png": "dataurl", ".svg": "dataurl", ".woff": "dataurl", ".woff2": "dataurl", ".mp3": "dataurl" },
  logLevel: "warning",
};
await build({ ...common, alias, entryPoints: { sdk: `${here}sdk.js` } });
await build({
  ...common,
  alias: { ...alias, "@amityco/ts-sdk": `${here}sdk-of-uikit.js` },
  entryPoints: { uikit: `${here}uikit.jsx` },
  jsx: "automatic",
});
console.log(`bundled ${sdk} and the Web UIKit`);
