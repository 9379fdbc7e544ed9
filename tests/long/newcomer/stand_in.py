"""Stands in for the services that a newcomer has: OpenAI's Responses API, Ollama, a chat page and a receiver of
webhooks. Prints its port; what comes to `/hook` is verified with the guide's client and noted in `hooks`."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from answerd import InvalidWebhook, verify_webhook

CHAT = """<!doctype html><title>A chat</title><main></main><form><textarea id="box"></textarea><button>Send</button></form>
<script>
document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  document.querySelector("main").innerHTML = `<article class="answer"><p>You asked: <b></b></p></article>`;
  document.querySelector("b").textContent = document.querySelector("textarea").value;
});
</script>"""


class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply("text/html", CHAT)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hook":
            return self.hook(body)
        if self.path == "/v1/responses" and self.headers["Authorization"] != "Bearer sk-newcomer":
            return self.reply("application/json", json.dumps({"error": {"message": "wrong key"}}), 401)
        text = "Four."
        output = [
            {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "2+2"}},
            {"type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": text, "annotations": []}]},
        ]  # fmt: skip
        message = {"finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        both = {"id": "1", "object": "response", "status": "completed", "model": "m", "output": output, "choices": [message]}
        self.reply("application/json", json.dumps(both))

    def hook(self, body):
        try:
            job = verify_webhook(os.environ["ANSWERD_WEBHOOK_SECRET"], dict(self.headers), body)
        except InvalidWebhook:
            return self.reply("text/plain", "", 400)
        self.reply("text/plain", "")
        with open("hooks", "a") as hooks:
            hooks.write(f"{job['job_id']} {job['status']}\n")

    def reply(self, content_type, text, status=200):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
