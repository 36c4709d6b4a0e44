// Whether a page is dark. Every front end says it in its own way; where one says nothing, what it shows tells, and then
// what the reader prefers.

const PREFERS = "(prefers-color-scheme: dark)";
/** Attributes by which JupyterLab, VS Code, Colab, marimo, Shiny (Bootstrap) and pages of Sphinx say it. */
const ATTRIBUTES = ["data-jp-theme-light", "data-vscode-theme-kind", "theme", "data-theme", "data-bs-theme", "class", "style"];

function said(): boolean | undefined {
  const { body, documentElement: root } = document;
  const lab = body.dataset["jpThemeLight"];
  if (lab) return lab === "false";
  const kind = body.dataset["vscodeThemeKind"];
  if (kind) return kind === "vscode-dark" || kind === "vscode-high-contrast";
  for (const element of [body, root]) {
    const words = [element.getAttribute("theme"), element.dataset["theme"], element.dataset["bsTheme"], ...element.classList];
    if (words.includes("dark")) return true;
    if (words.includes("light")) return false;
  }
  return undefined;
}

/** How bright a colour is that stands behind something; undefined where one sees through it. */
function brightness(colour: string): number | undefined {
  const [red, green, blue, alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  if (red === undefined || green === undefined || blue === undefined || alpha < 0.5) return undefined;
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

function shown(): boolean | undefined {
  for (const element of [document.body, document.documentElement]) {
    const found = brightness(getComputedStyle(element).backgroundColor);
    if (found !== undefined) return found < 0.5;
  }
  return undefined;
}

export const isDark = (): boolean => said() ?? shown() ?? matchMedia(PREFERS).matches;

/** Call `changed` when the page turns dark or light. Returns a function that ends it. */
export function onTheme(changed: () => void): () => void {
  let dark = isDark();
  const look = () => {
    if (isDark() === dark) return;
    dark = isDark();
    changed();
  };
  const observer = new MutationObserver(look);
  for (const element of [document.body, document.documentElement])
    observer.observe(element, { attributes: true, attributeFilter: ATTRIBUTES });
  const prefers = matchMedia(PREFERS);
  prefers.addEventListener("change", look);
  return () => {
    observer.disconnect();
    prefers.removeEventListener("change", look);
  };
}

let themed: Set<WeakRef<HTMLElement>> | undefined;

/** Mark an element with the theme of the page, as long as it is there: the style sheet goes by that mark alone. */
export function inTheme(el: HTMLElement): void {
  const mark = (element: HTMLElement) => (element.dataset["theme"] = isDark() ? "dark" : "light");
  mark(el);
  if (!themed) {
    const all = (themed = new Set<WeakRef<HTMLElement>>());
    onTheme(() => {
      for (const reference of all) {
        const element = reference.deref();
        if (element) mark(element);
        else all.delete(reference);
      }
    });
  }
  themed.add(new WeakRef(el));
}
