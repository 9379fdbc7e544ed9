"""The Python client of the guide, against a running service and a relay before it that plans faults.

ANSWERD_URL and ANSWERD_API_KEY name the service; PYTHONPATH has answerd.py.
"""

import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import unittest
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import answerd
from answerd import Answerd, ApiError, InvalidWebhook, JobFailed, StillPending, Unreachable, verify_webhook

SERVICE = Answerd()
HANG_UP, LOSE_REPLY = "hang up", "lose the reply"


class Cut(int):
    """Sends so many bytes of the reply, which says that it has more."""


class CutChunks(Cut):
    """The same of a reply without a length."""


class Relay(BaseHTTPRequestHandler):
    """Does what is planned, then passes requests on to the service."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        server.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        fault = server.planned.pop(0) if server.planned else None
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        if fault == HANG_UP:
            return
        if isinstance(fault, tuple):
            status, headers, text = fault
            return self.reply(status, headers, text if isinstance(text, bytes) else json.dumps(text).encode())
        service = urllib.parse.urlsplit(SERVICE.url)
        connection = http.client.HTTPConnection(service.hostname, service.port)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        reply = connection.getresponse()
        text = reply.read()
        if fault == LOSE_REPLY:
            return
        if isinstance(fault, Cut):
            chunked = isinstance(fault, CutChunks)
            self.send_response(200)
            self.send_header("Transfer-Encoding" if chunked else "Content-Length", "chunked" if chunked else len(text))
            self.end_headers()
            self.wfile.write((b"%x\r\n" % len(text) if chunked else b"") + text[:fault])
            return
        self.reply(reply.status, {"Retry-After": reply.headers.get("Retry-After")}, text)

    do_GET = do_POST = do_DELETE = answer

    def reply(self, status, headers, text):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def problem(status, code, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, headers, {"detail": "It says no.", "code": code}


PENDING = {"job_id": "j", "status": "pending", "phase": "queued", "error_code": None}


class Faults(unittest.TestCase):
    """Faults on the way; a client does not sleep here, and what it would have slept is in `slept`."""

    def relay(self, *planned):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
        server.planned, server.seen = list(planned), []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        sleep = mock.patch("answerd.time.sleep")
        self.slept = sleep.start()
        self.addCleanup(sleep.stop)
        return Answerd(f"http://127.0.0.1:{server.server_port}"), server

    def pauses(self):
        return [call.args[0] for call in self.slept.call_args_list]

    def test_one_call_makes_one_job_however_often_it_is_sent(self):
        label = str(uuid.uuid4())
        client, server = self.relay(problem(503, "storage_busy"), LOSE_REPLY, HANG_UP, problem(429, "rate_limit"))
        job = client.submit("practice", "What is a job?", label=label)
        keys = [headers["idempotency-key"] for _, _, headers in server.seen]
        self.assertEqual((len(keys), len(set(keys))), (5, 1))
        jobs = SERVICE.call("GET", "/jobs", query={"label": label})["jobs"]
        self.assertEqual([each["job_id"] for each in jobs], [job["job_id"]])
        client.submit("practice", "What is a job?", label=label)
        self.assertNotEqual(server.seen[-1][2]["idempotency-key"], keys[0])
        client.submit("practice", "What is a job?", idempotency_key=label)
        self.assertEqual(server.seen[-1][2]["idempotency-key"], label)

    def test_retry_after_is_obeyed_in_both_forms(self):
        date = email.utils.formatdate(time.time() + 20, usegmt=True)
        client, _ = self.relay(
            problem(429, "queue_full", Retry_After="7"), problem(503, "shutting_down", Retry_After=date), HANG_UP
        )
        client.submit("practice", "What is a job?")
        first, second, third = self.pauses()
        self.assertTrue(7 <= first <= 8, first)
        self.assertTrue(17 <= second <= 21, second)
        self.assertTrue(0 <= third <= 2, third)

    def test_what_no_wait_mends_is_raised_at_once(self):
        for planned in [
            problem(429, "credit_limit"),
            problem(503, "scraper_not_configured"),
            problem(429, "rate_limit", Retry_After="86400"),
            problem(400, "prompt_blank"),
            problem(500, "storage_failed"),
        ]:
            client, server = self.relay(planned)
            with self.assertRaises(ApiError) as refused:
                client.submit("practice", "a")
            self.assertEqual((refused.exception.code, len(server.seen)), (planned[2]["code"], 1))

    def test_tries_are_bounded(self):
        client, server = self.relay(*[problem(503, "storage_busy")] * 9)
        with self.assertRaises(ApiError):
            client.submit("practice", "a")
        self.assertEqual(len(server.seen), 5)
        client, server = self.relay(*[HANG_UP] * 9)
        with self.assertRaises(Unreachable):
            client.job("j")
        self.assertEqual(len(server.seen), 5)

    def test_wait_survives_a_restart(self):
        job = SERVICE.submit("practice", "What is a job?")
        client, server = self.relay(*[HANG_UP] * 9)
        self.assertEqual(client.wait(job["job_id"])["status"], "done")
        self.assertEqual(len(server.seen), 10)

    def test_poll_that_is_not_held_comes_again_when_told(self):
        client, server = self.relay((200, {"Retry-After": "9"}, PENDING), (200, {}, {**PENDING, "status": "done"}))
        client.wait("j")
        self.assertEqual(self.pauses(), [9.0])
        self.assertIn("wait=30", server.seen[0][1])

    def test_job_that_goes_on_is_named(self):
        client, _ = self.relay((202, {}, PENDING), (200, {}, PENDING))
        with self.assertRaises(StillPending) as pending:
            client.ask("practice", "a", wait_seconds=0)
        self.assertEqual(pending.exception.job_id, "j")

    def test_failed_job_is_raised_with_its_code(self):
        failed = {**PENDING, "status": "failed", "error": "Our key is wrong.", "error_code": "upstream_auth"}
        client, _ = self.relay((202, {}, failed))
        with self.assertRaisesRegex(JobFailed, "Our key is wrong.") as raised:
            client.ask("practice", "a")
        self.assertEqual((raised.exception.code, raised.exception.job_id), ("upstream_auth", "j"))

    def test_unknown_fields_and_words_are_kept(self):
        later = {**PENDING, "status": "paused", "phase": "asleep", "mood": {"good": True}}
        client, _ = self.relay((200, {}, later), (200, {}, later), (200, {}, {**later, "status": "done"}))
        self.assertEqual(client.job("j"), later)
        self.assertEqual(client.wait("j")["mood"], {"good": True})

    def test_redirect_is_not_followed(self):
        client, server = self.relay((302, {"Location": f"{SERVICE.url}/healthz"}, b""))
        with self.assertRaises(ApiError) as refused:
            client.call("GET", "/usage")
        self.assertEqual((refused.exception.status, len(server.seen)), (302, 1))

    def test_reply_of_something_else_is_an_error(self):
        client, _ = self.relay((200, {}, b"<html>"), (404, {}, b"<html>"))
        for status in [200, 404]:
            with self.assertRaises(ApiError) as refused:
                client.job("j")
            self.assertEqual((refused.exception.status, refused.exception.code), (status, None))

    def test_export_goes_on_behind_the_last_row(self):
        label = str(uuid.uuid4())
        batch = SERVICE.submit_batch(prompts=["One?", "Two?", "Three?"], scrapers=["practice"], label=label)
        SERVICE.wait_batch(batch["batch_id"])
        whole = list(SERVICE.results(label=label))
        self.assertEqual(len(whole), 3)
        first = len(json.dumps(whole[0], ensure_ascii=False, separators=(",", ":")).encode())
        client, server = self.relay(Cut(first // 2), Cut(first + 40), CutChunks(first), HANG_UP)
        self.assertEqual(list(client.results(label=label)), whole)
        self.assertEqual(len(server.seen), 5)
        self.assertIn("after=" + whole[0]["cursor"], server.seen[-1][1])


class Service(unittest.TestCase):
    def test_ask_returns_the_answer(self):
        result = SERVICE.ask("practice", "How do I back up the store?", country="de", label="asked")
        self.assertIn("backup", result["result"])
        self.assertEqual((result["country"], result["provenance"]["kind"]), ("DE", "practice"))
        job = SERVICE.job(result["job_id"])
        self.assertEqual((job["label"], job["result"]), ("asked", result))

    def test_batch_is_submitted_awaited_and_read(self):
        items = [{"prompt": "What is a batch?"}, {"prompt": "a", "country": "XX"}, {"prompt": "What is a key?"}]
        batch = SERVICE.submit_batch(scraper="practice", items=items)
        batch = SERVICE.wait_batch(batch["batch_id"])
        self.assertEqual((batch["status"], batch["counts"]["done"]), ("done", 2))
        self.assertEqual(batch["items"][1]["error"]["code"], "country_invalid")
        prompts = [(job["prompt"], job["status"]) for job in SERVICE.batch_jobs(batch)]
        self.assertEqual(prompts, [("What is a batch?", "done"), ("What is a key?", "done")])

    def test_refusals_have_their_code(self):
        for client, call, status, code in [
            (SERVICE, lambda it: it.submit("practice", " "), 400, "prompt_blank"),
            (SERVICE, lambda it: it.submit("no/such", "a"), 404, "scraper_unknown"),
            (SERVICE, lambda it: it.wait(str(uuid.uuid4())), 404, "job_not_found"),
            (Answerd(api_key="wrong"), lambda it: it.submit("practice", "a"), 401, "key_invalid"),
        ]:
            if code == "key_invalid" and not os.environ.get("ANSWERD_API_KEY"):
                continue  # The service takes any.
            with self.assertRaises(ApiError) as refused:
                call(client)
            self.assertEqual((refused.exception.status, refused.exception.code), (status, code))
        ended = SERVICE.wait(SERVICE.submit("practice", "What is a job?")["job_id"])
        with self.assertRaises(ApiError) as refused:
            SERVICE.cancel(ended["job_id"])
        self.assertEqual(refused.exception.code, "job_finished")


class Webhooks(unittest.TestCase):
    SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    def headers(self, body, secret=SECRET, at=None):
        at = str(int(time.time() if at is None else at))
        key = base64.b64decode(secret[len("whsec_") :])
        made = hmac.new(key, f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
        return {"Webhook-Id": "msg_1", "Webhook-Timestamp": at, "Webhook-Signature": "v1," + base64.b64encode(made).decode()}

    def test_vector_of_the_specification(self):
        # The example of Standard Webhooks' own libraries.
        headers = {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        with mock.patch("answerd.time.time", return_value=1614265330):
            self.assertEqual(verify_webhook(self.SECRET, headers, b'{"test": 2432232314}'), {"test": 2432232314})

    def test_genuine_ones_alone_are_taken(self):
        body = '{"a": "ä"}'.encode()
        genuine = self.headers(body)
        self.assertEqual(verify_webhook(self.SECRET, genuine, body), {"a": "ä"})
        other = self.headers(body, "whsec_" + base64.b64encode(b"x" * 24).decode())["Webhook-Signature"]
        both = {**genuine, "Webhook-Signature": f"v2,ä {other} {genuine['Webhook-Signature']}"}
        self.assertEqual(verify_webhook(self.SECRET, both, body), {"a": "ä"})
        for headers, sent in [
            (genuine, body + b" "),
            ({**genuine, "Webhook-Signature": other}, body),
            ({**genuine, "Webhook-Signature": genuine["Webhook-Signature"].replace("v1,", "v2,")}, body),
            ({**genuine, "Webhook-Id": "msg_2"}, body),
            (self.headers(body, at=time.time() - 301), body),
            (self.headers(body, at=time.time() + 301), body),
            ({**genuine, "Webhook-Timestamp": "now"}, body),
            ({}, body),
        ]:
            with self.assertRaises(InvalidWebhook):
                verify_webhook(self.SECRET, headers, sent)
        with self.assertRaises(ValueError):
            verify_webhook("whsec_?", genuine, body)


if __name__ == "__main__":
    unittest.main()
