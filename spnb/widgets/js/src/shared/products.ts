// What is sold in a room: the pinned product over the picture, the list below it, and a host's tools on it.
import { h, replace } from "./dom";
import type { Link } from "./widget";

export type Product = { id: string; name: string; price: string; url: string; picture: string };

const SEARCH_MS = 250;

function face(product: Product): HTMLElement {
  return product.picture
    ? h("img", { class: "spnb-product-face", src: product.picture, alt: "", loading: "lazy", referrerpolicy: "no-referrer" })
    : h("span", { class: "spnb-product-face", "aria-hidden": "true" }, Array.from(product.name.trim())[0]?.toUpperCase() ?? "?");
}

function words(product: Product): HTMLElement {
  return h("span", { class: "spnb-product-words" }, h("strong", {}, product.name), product.price ? h("span", {}, product.price) : null);
}

/** A way to the shop; the kernel has let only web addresses through. */
function shop(link: Link, product: Product, location: string): HTMLElement | null {
  if (!/^https?:\/\//i.test(product.url)) return null;
  return h(
    "a",
    {
      href: product.url,
      target: "_blank",
      rel: "noopener noreferrer",
      "aria-label": `open ${product.name} in the shop`,
      click: () => link.send("clicked", { product: product.id, location }),
    },
    "View",
  );
}

function products(link: Link): Product[] {
  return link.get<Product[]>("products");
}

/** The pinned product, over the picture. */
export function pinnedCard(link: Link): HTMLElement {
  const el = h("div", { class: "spnb-pinned", role: "status" });
  let shown = "";
  link.follow(["products", "pinned"], () => {
    const product = products(link).find((one) => one.id === link.get<string>("pinned"));
    const now = product ? JSON.stringify(product) : "";
    el.hidden = !product;
    if (now === shown) return;
    shown = now;
    replace(el, ...(product ? [face(product), words(product), shop(link, product, "pinned")] : []));
    if (product) link.send("viewed", { product: product.id, location: "pinned" });
  });
  return el;
}

/** All tagged products in a row. With `manage`, who may pins them, takes them off, and adds others; what holds it has the
 * heading there. */
export function productList(link: Link, manage = false): HTMLElement {
  const list = h("ul", { class: "spnb-product-list" });
  const adder = manage ? productSearch(link) : null;
  const heading = h("span", { class: "spnb-note" });
  const el = h("section", { class: "spnb-products", role: "group", "aria-label": "products" }, manage ? null : heading, list, adder);
  const sight = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) link.send("viewed", { product: (target as HTMLElement).dataset["product"], location: "list" });
  });

  function item(product: Product, pinned: boolean, mine: boolean): HTMLElement {
    const row = h(
      "li",
      { "data-product": product.id },
      face(product),
      words(product),
      pinned ? h("span", { class: "spnb-badge" }, "Pinned") : null,
      mine ? null : shop(link, product, "list"),
      mine
        ? h(
            "button",
            {
              type: "button",
              "aria-pressed": String(pinned),
              "aria-label": `${pinned ? "unpin" : "pin"} ${product.name}`,
              click: () => link.send("pin", { product: pinned ? "" : product.id }),
            },
            pinned ? "Unpin" : "Pin",
          )
        : null,
      mine
        ? h(
            "button",
            { type: "button", "aria-label": `remove ${product.name}`, click: () => link.send("untag", { product: product.id }) },
            "Remove",
          )
        : null,
    );
    if (!mine) sight.observe(row);
    return row;
  }

  link.follow(["products", "pinned", "manages"], () => {
    const mine = manage && link.get<boolean>("manages");
    const tagged = products(link);
    sight.disconnect();
    const focused = list.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    replace(list, ...tagged.map((product) => item(product, product.id === link.get<string>("pinned"), mine)));
    // The same button of the same product keeps the keyboard, though its word may have changed.
    if (focused) {
      const [, ...name] = focused.split(" ");
      const again = [...list.querySelectorAll("button")].find((one) => one.getAttribute("aria-label")?.endsWith(name.join(" ")));
      again?.focus();
    }
    heading.textContent = tagged.length ? `Products · ${tagged.length}` : "Products";
    list.hidden = !tagged.length;
    if (adder) adder.hidden = !mine;
    el.hidden = !tagged.length && !mine;
  });
  link.atEnd(() => sight.disconnect());
  return el;
}

function productSearch(link: Link): HTMLElement {
  const text = h("input", { type: "text", placeholder: "Add a product…", "aria-label": "search products to add" });
  const found = h("ul", { class: "spnb-found", "aria-label": "found products" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let open = false;
  let hits: Product[] = [];

  function draw() {
    const tagged = new Set(products(link).map((product) => product.id));
    const left = hits.filter((product) => !tagged.has(product.id));
    replace(
      found,
      ...left.map((product) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", "aria-label": `add ${product.name}`, click: () => add(product) },
            face(product),
            words(product),
          ),
        ),
      ),
      open && !left.length ? h("li", { class: "spnb-note" }, "No more products match.") : null,
    );
    found.hidden = !open;
  }

  function add(product: Product) {
    link.send("tag", { product: product.id });
    text.value = "";
    text.focus();
    open = false;
    draw();
  }

  function search() {
    clearTimeout(timer);
    timer = setTimeout(() => link.send("search", { keyword: text.value }), SEARCH_MS);
  }

  const el = h("div", { class: "spnb-adder" }, text, found);
  text.addEventListener("input", search);
  text.addEventListener("click", search);
  text.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") search();
  });
  el.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open = false;
    draw();
  });
  el.addEventListener("focusout", (event) => {
    if (el.contains(event.relatedTarget as Node | null)) return;
    open = false;
    draw();
  });
  link.hear((reply) => {
    if (reply.type !== "found") return;
    hits = reply["products"] as Product[];
    open = el.contains(document.activeElement);
    draw();
  });
  link.follow(["products"], draw);
  link.atEnd(() => clearTimeout(timer));
  return el;
}
