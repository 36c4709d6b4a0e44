// What keeps a page from its camera.
export type Problem = { kind: string; text: string };

type Policed = { featurePolicy?: { allowsFeature(name: string): boolean } };

/** Whether a page around this one keeps the camera from it, whatever the reader allows. */
export const framed = (): boolean =>
  window.parent !== window && (document as unknown as Policed).featurePolicy?.allowsFeature("camera") === false;

/** What keeps the camera from us, and what to do about it. */
export function inWords(error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : "";
  const editor = location.protocol === "vscode-webview:" || navigator.userAgent.includes("Code/");
  if (editor)
    return {
      kind: "editor",
      text: "VS Code gives notebooks no camera. Open this notebook in a browser, or use a source of the kernel's.",
    };
  if (framed())
    return {
      kind: "editor",
      text:
        "The page around this notebook gives it no camera, as in VS Code and Colab. Open the notebook in a browser tab of its own, " +
        "or publish from the kernel: room.go_live(spnb.Camera()), or GoLive(room).",
    };
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return {
        kind: "denied",
        text: "The browser denies the camera. Allow it with the camera icon in the address bar, then try again.",
      };
    case "NotFoundError":
    case "OverconstrainedError":
      return { kind: "none", text: "No camera was found. Plug one in and try again, or use a source of the kernel's." };
    case "NotReadableError":
    case "AbortError":
      return { kind: "busy", text: "The camera is in use by another program. Close it there, then try again." };
    case "InsecureOrigin":
      return {
        kind: "insecure",
        text: "Browsers give cameras to https pages and to localhost only. Open this notebook that way.",
      };
    default:
      return { kind: "error", text: `The camera cannot be opened (${name || String(error)}).` };
  }
}

/** What keeps the screen from us. */
export function screenInWords(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotReadableError") return "The system does not let this browser see the screen. Allow it in the system's settings.";
  return "This browser does not share its screen from here.";
}
