// Invitations to co-host: a host's, to send and take back, and a guest's, to answer.
import { copyable } from "./copyable";
import { h, replace, say } from "./dom";
import type { Session } from "./session";
import type { Link } from "./widget";

type Sent = { id: string; user: string; status: string };
type Received = { id: string; title: string; from: string; live: boolean };

type Person = { user: string };

const WORDS: Record<string, string> = { pending: "invited", approved: "accepted", rejected: "declined", cancelled: "taken back" };

/** The host's side. */
export function invites(link: Link, session: Session<unknown>): { el: HTMLElement; draw(): void } {
  const user = h("input", { type: "text", placeholder: "user id", "aria-label": "user to invite", maxlength: 50 });
  const form = h(
    "form",
    {
      class: "spnb-row",
      submit: (event) => {
        event.preventDefault();
        if (!user.value.trim()) return;
        session.send("invite", { user: user.value.trim() });
        user.value = "";
      },
    },
    user,
    h("button", { type: "submit" }, "Invite"),
    h("button", { type: "button", click: () => session.send("invite_link") }, "Invite by link"),
  );
  // A notebook keeps Enter from submitting a form by itself.
  user.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  const list = h("ul", { class: "spnb-invited", "aria-label": "invitations", "aria-live": "polite" });
  const note = h("p", { class: "spnb-error", role: "alert" });
  const summary = h("summary", {}, "Co-hosts");
  const copied = h("p", { class: "spnb-note", role: "status" });
  const shown = h("div", { class: "spnb-encoder" });
  const el = h("details", { class: "spnb-company" }, summary, form, note, shown, copied, list);
  const hide = () => {
    replace(shown);
    say(copied, "");
  };
  link.hear((reply) => {
    if (reply.type !== "invite_link" || reply.client !== session.client) return;
    const address = reply["address"];
    if (typeof address !== "string") return hide();
    replace(
      shown,
      copyable("Invite link", address, copied),
      h("p", { class: "spnb-note" }, "Shown this once. The first who has it is your guest, within the hour, while this notebook runs."),
      h("button", { type: "button", click: hide }, "Done"),
    );
  });
  link.atEnd(hide);

  function draw(): void {
    const sent = link.get<Sent[]>("invitations");
    const there = new Set(link.get<Person[]>("people").map((person) => person.user));
    const word = ({ status, user }: Sent) =>
      status === "approved" && !there.has(user) ? "no co-host any more" : (WORDS[status] ?? status);
    const waiting = sent.filter((one) => one.status === "pending").length;
    summary.textContent = waiting ? `Co-hosts · ${waiting} invited` : "Co-hosts";
    note.textContent = link.get<string>("invite_error");
    replace(
      list,
      ...sent.map((one) =>
        h(
          "li",
          {},
          h("bdi", {}, one.user),
          h("span", { class: "spnb-note" }, word(one)),
          one.status === "pending" &&
            h(
              "button",
              {
                type: "button",
                "aria-label": `take the invitation of ${one.user} back`,
                click: () => session.send("cancel_invite", { invitation: one.id }),
              },
              "Cancel",
            ),
        ),
      ),
    );
  }

  return { el, draw };
}

/** A guest's way by a link, where there is no room yet. */
export function byLink(link: Link, session: Session<unknown>): HTMLElement {
  const address = h("input", { type: "text", autocomplete: "off", placeholder: "spnb:co-host#…", "aria-label": "invite link" });
  const join = h("button", { type: "button", click: accept }, "Join");
  const el = h(
    "details",
    { class: "spnb-company" },
    h("summary", {}, "Join by an invite link"),
    h("div", { class: "spnb-row" }, address, join),
  );
  function accept() {
    if (!address.value.trim()) return;
    session.send("accept_link", { link: address.value.trim() });
    address.value = "";
  }
  link.follow(["has_room"], () => (el.hidden = link.get<boolean>("has_room")));
  return el;
}

/** The guest's side: one banner for each invitation that waits. */
export function received(link: Link, session: Session<unknown>): HTMLElement {
  const el = h("div", { "aria-live": "polite" });
  link.follow(["invited"], () => {
    replace(
      el,
      ...link.get<Received[]>("invited").map((one) =>
        h(
          "div",
          { class: "spnb-banner", role: "alert" },
          h(
            "span",
            {},
            h("bdi", {}, one.from),
            " invites you to co-host “",
            h("bdi", {}, one.title),
            `”${one.live ? ", which is live now" : ""}.`,
          ),
          h(
            "button",
            { type: "button", class: "spnb-primary", click: () => session.send("accept", { invitation: one.id }) },
            "Accept",
          ),
          h(
            "button",
            { type: "button", class: "spnb-danger", click: () => session.send("reject", { invitation: one.id }) },
            "Decline",
          ),
        ),
      ),
    );
  });
  return el;
}
