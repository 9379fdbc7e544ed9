// The guide's copy buttons, and its search box: what is found shows while one types. The list is that of the search page
// itself, so the box does the same by an ordinary page load where this script does not run.
"use strict";

// A button on every block of code; without this script the code can be selected as ever.
(() => {
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    // Where the page is not served over TLS.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) {
      throw new Error("not allowed");
    }
  };

  for (const block of document.querySelectorAll("article pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await copy(block.textContent.trimEnd());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed to copy";
      }
      button.focus();
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    const around = document.createElement("div");
    around.className = "with-copy";
    block.replaceWith(around);
    around.append(block, button);
  }
})();

(() => {
  const SHOWN_MAX = 7;
  const form = document.getElementById("search");
  const field = document.getElementById("sought");
  const list = document.getElementById("suggestions");
  const status = document.getElementById("suggested");
  let running = null;

  const hide = () => {
    if (running) {
      running.abort();
    }
    list.hidden = true;
    status.textContent = "";
  };

  const show = (page) => {
    const items = [...page.querySelectorAll("#found > li")].slice(0, SHOWN_MAX);
    list.replaceChildren(...items.map((item) => document.adoptNode(item)));
    list.hidden = items.length === 0;
    status.textContent = items.length ? items.length + " sections" : "Nothing found";
  };

  const search = async () => {
    hide();
    const query = field.value.trim();
    if (!query) {
      return;
    }
    running = new AbortController();
    try {
      const address = form.getAttribute("action") + "?" + new URLSearchParams({ q: query });
      const reply = await fetch(address, { signal: running.signal });
      const text = await reply.text();
      if (reply.ok) {
        show(new DOMParser().parseFromString(text, "text/html"));
      }
    } catch {
      // A later search has taken its place, or the service is away: the form itself will tell.
    }
  };

  // From the box through the list and back.
  const move = (step) => {
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    const next = stops[at + step];
    if (next) {
      next.focus();
    }
  };

  field.addEventListener("input", search);

  form.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && !list.hidden) {
      event.preventDefault();
      move(steps[event.key]);
    } else if (event.key === "Escape") {
      hide();
      field.focus();
    }
  });

  form.addEventListener("focusout", (event) => {
    // Nothing has the focus while a pointer is down on the list.
    if (event.relatedTarget && !form.contains(event.relatedTarget)) {
      hide();
    }
  });

  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) {
      hide();
    }
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });

  // A link of the list may lead to this same page.
  list.addEventListener("click", (event) => event.target.closest("a") && hide());
})();
