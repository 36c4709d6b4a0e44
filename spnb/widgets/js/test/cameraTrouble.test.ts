import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords } from "../src/shared/cameraTrouble";

void test("a page around the notebook that keeps the camera from it is told apart from a reader who does", () => {
  const allowed = { camera: true };
  const page = { parent: {} as unknown };
  Object.assign(globalThis, {
    window: page,
    document: { featurePolicy: { allowsFeature: (name: "camera") => allowed[name] } },
    location: { protocol: "https:" },
    navigator: { userAgent: "" },
  });
  const denied = new DOMException("no", "NotAllowedError");
  assert.equal(inWords(denied).kind, "denied");
  allowed.camera = false;
  assert.match(inWords(denied).text, /The page around this notebook gives it no camera/);
  page.parent = page;
  assert.equal(inWords(denied).kind, "denied");
});
