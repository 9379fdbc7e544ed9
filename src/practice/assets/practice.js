// The practice page with JavaScript: a question is sent by fetch and its answer is shown as it
// streams. Without it the form does the same by an ordinary page load.
"use strict";

(() => {
  const form = document.getElementById("ask");
  const field = document.getElementById("q");
  const stop = document.getElementById("stop");
  const status = document.getElementById("status");
  const conversation = document.getElementById("conversation");
  const template = document.getElementById("turn");
  let running = null;

  if (!window.ReadableStream || !window.TextDecoderStream || !window.AbortController) {
    return;
  }

  const address = (path, question) => path + "?" + new URLSearchParams({ q: question });

  const begin = (question) => {
    document.querySelectorAll("main > h1").forEach((heading) => heading.remove());
    conversation.replaceChildren(template.content.cloneNode(true));
    conversation.setAttribute("aria-busy", "true");
    document.getElementById("question").textContent = question;
    document.title = question.slice(0, 60) + " · answerd";
    field.value = "";
    stop.hidden = false;
    status.textContent = "Searching the guide …";
  };

  const end = (message) => {
    conversation.removeAttribute("aria-busy");
    stop.hidden = true;
    status.textContent = message;
  };

  // The server escapes what it sends; it comes from this origin only.
  const add = (line) => {
    const piece = JSON.parse(line);
    const place = document.getElementById(piece.into);
    if (place && piece.html) {
      place.insertAdjacentHTML("beforeend", piece.html);
      const section = place.closest("section");
      if (section) {
        section.hidden = false;
      }
    }
    if (piece.into === "answer") {
      status.textContent = "Answering …";
    }
  };

  const fail = async (reply) => {
    const body = await reply.json().catch(() => ({}));
    const place = document.createElement("p");
    place.className = "failure";
    place.textContent = body.detail || "The page answered with status " + reply.status + ".";
    conversation.append(place);
  };

  const read = async (reply) => {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.filter(Boolean).forEach(add);
    }
  };

  const answer = async (question) => {
    if (running) {
      running.abort();
    }
    const own = new AbortController();
    running = own;
    begin(question);
    let message = "";
    try {
      const reply = await fetch(address("/practice/stream", question), { signal: own.signal });
      await (reply.ok ? read(reply) : fail(reply));
    } catch (error) {
      message = own.signal.aborted ? "Stopped." : "The connection broke off.";
    }
    // A newer question has taken the page over.
    if (running === own) {
      running = null;
      end(message);
    }
  };

  const ask = (question) => {
    history.pushState(null, "", address("/practice", question));
    answer(question);
  };

  form.addEventListener("submit", (event) => {
    const question = field.value.trim();
    event.preventDefault();
    if (question) {
      ask(question);
    }
  });

  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  conversation.addEventListener("click", (event) => {
    const link = event.target.closest(".questions a");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      ask(link.textContent);
    }
  });

  stop.addEventListener("click", () => running && running.abort());
  window.addEventListener("popstate", () => location.reload());
})();
