"""A client of answerd in one file: copy it into your project. Python 3.9 or newer, nothing to install.

    client = Answerd("http://127.0.0.1:8080", "ak_...")
    print(client.ask("chatgpt", "best running shoes")["result_markdown"])

Replies are the JSON of the API as dicts, so fields and words that this file does not know are kept. One
client serves many threads; from asyncio, `await asyncio.to_thread(client.ask, "chatgpt", "...")`.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any, Iterator, Literal, Mapping, TypedDict, Union, cast

if TYPE_CHECKING:
    from typing_extensions import Unpack

# A later service may send other words: treat them as text.
JobStatus = Union[Literal["pending", "done", "failed"], str]
JobPhase = Union[Literal["queued", "running", "waiting_retry", "finished"], str]
BatchStatus = Union[Literal["pending", "done"], str]
UpstreamKind = Union[Literal["api", "serp", "browser", "practice"], str]
ResultRows = Literal["answers", "sources", "citations", "search_queries", "products", "mentions"]


class ItemParameters(TypedDict, total=False):
    """The parameters of a scrape beside its prompt: /docs/parameters."""

    country: str
    bypass_cache: bool
    timeout: float
    web_search: bool
    markdown_json: bool
    mode: str
    label: str
    start_within: float
    webhook_url: str
    region: str
    city: str
    language: str
    timezone: str
    device: Literal["desktop", "mobile"]
    strict_place: bool
    model: str
    kind: Literal["api", "serp", "browser"]
    require_search: bool
    keep_unsearched: bool
    raw: bool
    retain_hours: int
    track: str


class Parameters(ItemParameters, total=False):
    """The parameters of a scrape that is no item of a batch."""

    interactive: bool


class NewItem(ItemParameters, total=False):
    """An item of a batch."""

    prompt: str
    scraper: str


class NewBatch(NewItem, total=False):
    """A batch: `items`, or `prompts` with `scrapers` and `countries`; the others are their defaults."""

    items: list[NewItem]
    prompts: list[str]
    scrapers: list[str]
    countries: list[str]
    samples: int
    interactive: bool


class ResultFilters(TypedDict, total=False):
    """Which jobs an export has: /docs/export."""

    since: str
    until: str
    scraper: str
    label: str
    country: str
    batch: str
    tracker: str
    after: str


class Source(TypedDict, total=False):
    """A page that the engine consulted."""

    title: str
    url: str
    snippet: str
    position: int | None
    times: int
    cited: bool | None
    date: str | None


class Provenance(TypedDict, total=False):
    """Where an answer is from."""

    upstream: str
    kind: UpstreamKind
    model_asked: str | None
    fields: dict[str, str]


class Search(TypedDict):
    """Whether the engine searched the web."""

    asked: bool
    made: bool | None
    calls: int | None
    failed: int | None


class Result(TypedDict, total=False):
    """What every scraper returns; /docs/results has the fields of each."""

    scraper: str
    status: str
    job_id: str
    prompt: str
    country: str
    result: str
    result_markdown: str
    search_queries: list[str]
    sources: list[Source]
    citations: list[Source]
    llm_model: str | None
    credits_used: int
    elapsed_ms: float
    cached: bool
    markdown_url: str
    present: bool
    warnings: list[str]
    provenance: Provenance
    search: Search


class JobSoFar(TypedDict):
    """What every job has."""

    job_id: str
    status: JobStatus
    scraper: str
    prompt: str
    country: str
    created_at: str
    completed_at: str | None
    phase: JobPhase
    attempts: int
    started_at: str | None
    expires_at: str
    label: str | None
    error_code: str | None


class Job(JobSoFar, total=False):
    """A job: `result` once it is done, `error` once it has failed."""

    result: Result
    error: str
    present: bool
    batch_id: str
    usage: dict[str, Any]
    # Of a list alone.
    seconds: float
    search: Search
    account: str


class BatchCountsSoFar(TypedDict):
    """The counts that every batch has."""

    items: int
    refused: int
    pending: int
    done: int
    failed: int


class BatchCounts(BatchCountsSoFar, total=False):
    """The items of a batch, counted by state; those that were canceled have failed too."""

    canceled: int


class BatchItem(TypedDict, total=False):
    """An item of a batch: its job, or in `error` why there is none."""

    index: int
    job_id: str
    status: JobStatus
    scraper: str
    country: str
    error_code: str
    error: dict[str, str]


class BatchSoFar(TypedDict):
    """What every batch has."""

    batch_id: str
    status: BatchStatus
    label: str | None
    created_at: str
    completed_at: str | None
    expires_at: str
    counts: BatchCounts
    has_webhook: bool


class Batch(BatchSoFar, total=False):
    """A batch, with its items in the order of the request."""

    credits_used: int
    items: list[BatchItem]


class AnswerdError(Exception):
    """Any error of this client. `job_id` names the job where there is one: nothing is lost, wait for it."""

    job_id: str | None = None


class Unreachable(AnswerdError):
    """The service could not be reached, or the connection broke off."""


class ApiError(AnswerdError):
    """The service refused the call. `code` is a stable word (/docs/errors-and-retries), or None of a proxy."""

    def __init__(self, status: int, code: str | None, detail: str, retry_after: float | None) -> None:
        super().__init__(f"{detail} (HTTP {status}, {code})" if code else f"{detail} (HTTP {status})")
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed soon."""
        return self.status in (429, 502, 503, 504) and self.code not in FINAL_CODES


class JobFailed(AnswerdError):
    """The job failed; its credits were given back. `code` is its `error_code`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.get("error", "The job failed."))
        self.job, self.code, self.job_id = job, job["error_code"], job["job_id"]


class StillPending(AnswerdError):
    """The time to wait is over and the job or batch goes on: wait for it again."""


class InvalidWebhook(AnswerdError):
    """The webhook is not genuine, or too old."""


# A 429 or a 503 that the next minutes do not mend.
FINAL_CODES = frozenset(
    ["credit_limit", "spend_limit", "too_many_invalid_keys", "scraper_not_configured", "webhooks_not_configured"]
)
# How long the service holds a poll, seconds.
HOLD_SECONDS = 30.0
BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.5, 30.0
# A longer Retry-After is for the caller to decide.
RETRY_AFTER_SECONDS_MAX = 120.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Reply:
    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        self.retry_after = _retry_after(headers.get("Retry-After"))
        self.body = body

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise ApiError(200, None, "The reply is not JSON; is this the address of answerd?", None) from None


class Answerd:
    """A client. Address and key come from ANSWERD_URL and ANSWERD_API_KEY where they are not given."""

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, tries: int = 5, timeout: float = 60.0
    ) -> None:
        """`tries` is how often a call is sent at most, `timeout` the seconds without a byte of a reply."""
        self.url = (url or os.environ.get("ANSWERD_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.tries, self.timeout = tries, timeout
        self._key = api_key or os.environ.get("ANSWERD_API_KEY") or ""
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(
        self,
        scraper: str,
        prompt: str,
        *,
        wait_seconds: float = 600.0,
        idempotency_key: str | None = None,
        **parameters: Unpack[Parameters],
    ) -> Result:
        """Submits a prompt, waits for the answer and returns it. Raises JobFailed where there is none."""
        job = self.submit(scraper, prompt, idempotency_key=idempotency_key, **parameters)
        if job["status"] not in ("done", "failed"):
            job = self.wait(job["job_id"], wait_seconds)
        if job["status"] == "failed":
            raise JobFailed(job)
        return job["result"]

    def submit(
        self,
        scraper: str,
        prompt: str,
        *,
        idempotency_key: str | None = None,
        **parameters: Unpack[Parameters],
    ) -> Job:
        """Queues a prompt and returns the job. One call makes one job, however often it is sent."""
        path = f"/scrapers/{_quoted(scraper)}/jobs"
        return cast(Job, self._post(path, {**parameters, "prompt": prompt}, idempotency_key))

    def wait(self, job_id: str, wait_seconds: float = 600.0) -> Job:
        """Waits for the end of a job, done or failed, over restarts of the service too."""
        try:
            return cast(Job, self._wait(f"/jobs/{_quoted(job_id)}", wait_seconds))
        except AnswerdError as error:
            error.job_id = job_id
            raise

    def job(self, job_id: str) -> Job:
        """Returns a job as it is now."""
        return cast(Job, self.call("GET", f"/jobs/{_quoted(job_id)}"))

    def cancel(self, job_id: str) -> Job:
        """Cancels a job that has not ended."""
        return cast(Job, self.call("DELETE", f"/jobs/{_quoted(job_id)}"))

    def submit_batch(self, *, idempotency_key: str | None = None, **batch: Unpack[NewBatch]) -> Batch:
        """Queues up to 1,000 prompts at once."""
        return cast(Batch, self._post("/batches", batch, idempotency_key))

    def wait_batch(self, batch_id: str, wait_seconds: float = 3600.0) -> Batch:
        """Waits until every job of a batch has ended."""
        return cast(Batch, self._wait(f"/batches/{_quoted(batch_id)}", wait_seconds))

    def batch_jobs(self, batch: Batch) -> Iterator[Job]:
        """The jobs of a batch with their results, in the order of its items. A refused item has no job."""
        for item in batch["items"]:
            if "job_id" in item:
                yield self.job(item["job_id"])

    def results(self, rows: ResultRows = "answers", **filters: Unpack[ResultFilters]) -> Iterator[dict[str, Any]]:
        """The rows of an export, oldest first. Goes on behind the last row where the connection breaks off."""
        query = {**filters, "rows": rows, "format": "ndjson"}
        failed = 0
        while True:
            try:
                for line in self._lines("/results", query):
                    row: dict[str, Any] = json.loads(line)
                    query["after"], failed = row["cursor"], 0
                    yield row
                return
            except AnswerdError as error:
                failed += 1
                pause = _pause(error, failed)
                if pause is None or failed >= self.tries:
                    raise
                time.sleep(pause)

    def call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: object | None = None
    ) -> Any:
        """Any other call of the API: returns its JSON."""
        return self._call(method, path, query=query, body=body).json()

    def _post(self, path: str, body: object, idempotency_key: str | None) -> Any:
        # Made once and sent with every try.
        once = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._call("POST", path, body=body, headers=once).json()

    def _wait(self, path: str, wait_seconds: float) -> Any:
        deadline = time.monotonic() + wait_seconds
        while True:
            began = time.monotonic()
            hold = max(0.0, min(HOLD_SECONDS, deadline - began))
            reply = self._call("GET", path, query={"wait": round(hold, 3)}, hold=hold, deadline=deadline)
            state = reply.json()
            if state["status"] in ("done", "failed"):
                return state
            now = time.monotonic()
            if now >= deadline:
                raise StillPending(f"not ended after {wait_seconds:g} seconds")
            if now - began < hold / 2:
                # The poll was not held, so the service says when to come again.
                time.sleep(min(deadline - now, reply.retry_after or 2.0))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        hold: float = 0.0,
        deadline: float | None = None,
    ) -> _Reply:
        """Sends until there is a reply: up to `tries` times, or up to a deadline."""
        sent = 0
        while True:
            sent += 1
            try:
                with self._open(method, path, query, body, headers, hold) as reply:
                    return _Reply(reply.headers, _read(reply))
            except AnswerdError as error:
                pause = _pause(error, sent)
                over = sent >= self.tries if deadline is None else time.monotonic() + (pause or 0) > deadline
                if pause is None or over:
                    raise
                time.sleep(pause)

    def _lines(self, path: str, query: Mapping[str, Any]) -> Iterator[bytes]:
        with self._open("GET", path, query, None, None, 0.0) as reply:
            rest = b""
            while True:
                piece = _read(reply, 65_536)
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
                if not piece:
                    # A reply of a known length that ends early is no error to http.client.
                    if reply.length:
                        raise Unreachable("the connection broke off")
                    return

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: object | None,
        headers: Mapping[str, str] | None,
        hold: float,
    ) -> Any:
        url = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(url, method=method, headers=dict(headers or {}))
        if self._key:
            request.add_unredirected_header("X-API-Key", self._key)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            return self._opener.open(request, timeout=self.timeout + hold)
        except urllib.error.HTTPError as error:
            raise _api_error(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url}: {error}") from error


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, tolerance_seconds: float = 300.0
) -> Any:
    """Returns the JSON of a webhook that is genuine (Standard Webhooks 1.0); raises InvalidWebhook otherwise.

    `body` is what came, byte for byte. While the secret changes there are several signatures: one counts.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
        age = abs(time.time() - int(timestamp))
    except (KeyError, ValueError):
        raise InvalidWebhook("a header of the webhook is missing or malformed") from None
    if age > tolerance_seconds:
        raise InvalidWebhook("the timestamp is too far away")
    try:
        key = base64.b64decode(secret.strip().replace("whsec_", "", 1), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not `whsec_` and base64") from None
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # All are compared, each in constant time.
    if not any([hmac.compare_digest(each.encode(), expected) for each in signatures]):
        raise InvalidWebhook("no signature matches")
    return json.loads(body)


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _read(reply: Any, size: int | None = None) -> bytes:
    try:
        return cast(bytes, reply.read(size))
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the connection broke off: {error}") from error


def _api_error(error: urllib.error.HTTPError) -> ApiError:
    try:
        problem = json.loads(error.read())
        code, detail, job_id = problem["code"], problem["detail"], problem.get("job_id")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        code, detail, job_id = None, error.reason, None
    refused = ApiError(error.code, code, str(detail), _retry_after(error.headers.get("Retry-After")))
    refused.job_id = job_id
    return refused


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _pause(error: AnswerdError, sent: int) -> float | None:
    """Seconds until a call is sent again, with jitter so that clients do not come all at once; None: never."""
    jitter = random.uniform(0.0, min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2.0 ** min(sent - 1, 10)))
    if not isinstance(error, ApiError):
        return jitter if isinstance(error, Unreachable) else None
    if not error.retryable:
        return None
    if error.retry_after is None:
        return jitter
    return None if error.retry_after > RETRY_AFTER_SECONDS_MAX else error.retry_after + min(jitter, 1.0)
