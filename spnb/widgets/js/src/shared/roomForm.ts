// A form for a new room: limits counted while typing, errors in words.
import { field, h, replace } from "./dom";
import type { Link } from "./widget";

type Community = { id: string; name: string };

function counted(input: HTMLInputElement | HTMLTextAreaElement, most: number): HTMLElement {
  const note = h("span", { class: "spnb-note" });
  const count = () => {
    note.textContent = `${input.value.length} of ${most}`;
    note.classList.toggle("spnb-over", input.value.length > most);
  };
  input.addEventListener("input", count);
  count();
  return note;
}

/** The form; `snapshot` gives a picture of the preview, where there is one. */
export function roomForm(link: Link, options: { snapshot?: () => Promise<Blob | null> } = {}): HTMLFormElement {
  const limits = link.get<{ title: number; description: number; thumbnail: number }>("limits");
  const title = h("input", { type: "text", autocomplete: "off", placeholder: "What is it about?" });
  const description = h("textarea", { rows: 3, placeholder: "Optional" });
  const community = h("select");
  const thumbnail = h("input", { type: "file", "aria-label": "Thumbnail file", accept: "image/png,image/jpeg,image/gif,image/webp" });
  const note = h("span", { class: "spnb-note" }, "1280 × 720, at most 2 MB");
  const metadata = h("input", { type: "text", placeholder: '{"season": 2}', autocomplete: "off" });
  let taken: Blob | null = null;
  const snapshot = h("button", { type: "button", hidden: !options.snapshot, click: () => void take() }, "Snapshot");
  thumbnail.addEventListener("change", () => {
    taken = null;
    note.textContent = "1280 × 720, at most 2 MB";
  });

  async function take() {
    taken = (await options.snapshot?.()) ?? null;
    thumbnail.value = "";
    note.textContent = taken ? "The preview's picture is the thumbnail." : "Switch the preview on first.";
  }

  const chat = h("input", { type: "checkbox" });
  chat.checked = true;
  const button = h("button", { type: "submit", class: "spnb-primary" }, "Create room");
  const error = h("p", { class: "spnb-error", role: "alert" });
  const form = h(
    "form",
    { class: "spnb-card", novalidate: true },
    h("h3", {}, "New room"),
    field("Title", title, counted(title, limits.title)),
    field("Description", description, counted(description, limits.description)),
    field("Post in", community),
    field("Thumbnail", h("span", { class: "spnb-row" }, thumbnail, snapshot), note),
    h("label", { class: "spnb-check" }, chat, "Live chat"),
    h("details", {}, h("summary", {}, "Metadata"), field("JSON", metadata)),
    error,
    h("div", { class: "spnb-row" }, button),
  );
  form.addEventListener("input", () => {
    error.textContent = "";
  });
  // Said here, since some hosts of notebooks keep a browser from submitting a form by Enter.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    form.requestSubmit(button);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });

  async function submit() {
    if (!title.value.trim()) {
      error.textContent = "Give the room a title.";
      title.focus();
      return;
    }
    const file = taken ?? thumbnail.files?.[0];
    if (file && file.size > limits.thumbnail) {
      error.textContent = `The thumbnail has ${(file.size / 1e6).toFixed(1)} MB; at most 2 MB are taken.`;
      return;
    }
    error.textContent = "";
    const buffers = file ? [await file.arrayBuffer()] : [];
    link.send(
      "create",
      {
        title: title.value,
        description: description.value,
        community: community.value,
        chat: chat.checked,
        thumbnail: Boolean(file),
        metadata: metadata.value.trim(),
      },
      buffers,
    );
  }

  link.follow(["communities"], () => {
    const options = link.get<Community[]>("communities").map(({ id, name }) => h("option", { value: id }, name));
    replace(community, h("option", { value: "" }, "My own feed"), ...options);
  });
  link.follow(["busy"], () => {
    const busy = link.get<boolean>("busy");
    button.disabled = busy;
    button.textContent = busy ? "Creating…" : "Create room";
  });
  link.follow(["error"], () => {
    error.textContent = link.get<string>("error");
  });
  return form;
}
