// The form that asks for a key, where the server needs one.

import { ApiError, json } from "./api.js";
import { announce, el, fill } from "./dom.js";
import { complain } from "./live.js";
import { dropKey, keepKey, tryKey } from "./session.js";

/** Shows the form; `signedIn` is called with what the server knows of the key. */
export function signIn(main, { reason, signedIn }) {
  const field = el("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": "key-help key-error",
  });
  const error = el("p", { id: "key-error", class: "error", role: "alert" }, reason ?? "");
  const button = el("button", { class: "button primary", type: "submit" }, "Sign in");
  const form = el("form", { class: "card sign-in", on: { submit } },
    el("h1", {}, "Sign in"),
    el("p", { class: "quiet" }, "This server asks for an API key. It is kept until you sign out or close the last tab of this dashboard."),
    el("label", { for: "key" }, "API key"),
    field,
    error,
    button,
    el("p", { id: "key-help", class: "quiet small" },
      "No key yet? On the server, ", el("code", {}, "answerd keygen NAME"),
      " makes one and prints the lines for its configuration. ",
      el("a", { href: "/docs/security" }, "More in the guide")),
  );
  fill(main, form);
  field.focus();

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    tryKey(field.value.trim());
    try {
      const usage = await json("/usage");
      keepKey();
      announce("Signed in.");
      signedIn(usage);
    } catch (refused) {
      dropKey();
      button.disabled = false;
      const wrong = refused instanceof ApiError && refused.code === "key_invalid";
      complain(error, wrong ? new Error("Invalid API key.") : refused);
      field.setAttribute("aria-invalid", "true");
      field.select();
    }
  }
}
