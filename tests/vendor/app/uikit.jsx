// The vendor's Web UIKit as a page: who logs in where is told by the address.
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { AmityUiKitProvider, AmityUiKitSocial } from "@amityco/ui-kit-open-source";
import "@amityco/ui-kit-open-source/dist/index.css";

const wish = new URLSearchParams(location.search);
const endpoint = wish.get("url");
const provider = {
  apiKey: wish.get("key"),
  apiRegion: "sandbox",
  apiEndpoint: { http: endpoint, mqtt: wish.get("mqtt"), upload: endpoint },
  userId: wish.get("user"),
  displayName: wish.get("name"),
};
createRoot(document.getElementById("root")).render(h(AmityUiKitProvider, provider, h(AmityUiKitSocial)));
