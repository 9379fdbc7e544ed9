// What the pages of engines have in common: they take only what is really typed, and write their
// answers in pieces.
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

// An answer with everything that Markdown can say. `mark` writes the n-th citation, `code` a block.
const pieces = (prompt, mark, code) => [
  `<p>You asked: ${escaped(prompt)}</p><h2>What counts</h2>`,
  `<p>Results are kept for <strong>24 hours</strong>${mark(1)} and then <em>removed</em>${mark(2)}.
   See <a href="https://guide.example/limits">the limits</a>.</p>`,
  `<ul><li>First</li><li>Second<ol><li>Nested</li></ol></li></ul>`,
  `<table><thead><tr><th>Plan</th><th>Hours</th></tr></thead>
   <tbody><tr><td>Free</td><td>24</td></tr><tr><td>Own</td><td>any</td></tr></tbody></table>`,
  code(`<code class="language-python">print("kept")\nprint(24)</code>`),
  `<p>That is all.</p>`,
];

// Writes an answer into an element piece by piece, with `ms` between.
const streamed = async (element, parts, ms) => {
  let html = "";
  for (const part of parts) {
    html += part;
    element.innerHTML = html;
    await pause(ms);
  }
};

// What an editor of rich text does: it believes only events that the browser itself has made.
const editor = (field, button, send) => {
  const text = () => ("value" in field ? field.value : field.innerText);
  field.addEventListener("input", (event) => {
    button.disabled = !(event.isTrusted && text().trim());
  });
  const sent = (event) => {
    if (event.isTrusted && !button.disabled) {
      event.preventDefault();
      const prompt = text();
      if ("value" in field) {
        field.value = "";
      } else {
        field.innerHTML = "";
      }
      button.disabled = true;
      send(prompt.trim());
    }
  };
  button.addEventListener("click", sent);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      sent(event);
    }
  });
};
