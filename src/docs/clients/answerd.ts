// A client of answerd in one file: copy it into your project. Node.js 20 or newer, Deno, Bun and browsers;
// nothing to install.
//
//   const client = new Answerd({ url: "http://127.0.0.1:8080", apiKey: "ak_..." });
//   console.log((await client.ask("chatgpt", "best running shoes")).result_markdown);
//
// Replies are the JSON of the API, so fields and words that this file does not know are kept.

// A later service may send other words: they are text.
type Word<T extends string> = T | (string & {});
export type JobStatus = Word<"pending" | "done" | "failed">;
export type JobPhase = Word<"queued" | "running" | "waiting_retry" | "finished">;
export type BatchStatus = Word<"pending" | "done">;
export type UpstreamKind = Word<"api" | "serp" | "browser" | "practice">;
export type ResultRows = "answers" | "sources" | "citations" | "search_queries" | "products" | "mentions";
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** The parameters of a scrape beside its prompt: /docs/parameters. */
export interface ItemParameters {
  country?: string;
  bypass_cache?: boolean;
  timeout?: number;
  web_search?: boolean;
  markdown_json?: boolean;
  mode?: string;
  label?: string;
  start_within?: number;
  webhook_url?: string;
  region?: string;
  city?: string;
  language?: string;
  timezone?: string;
  device?: "desktop" | "mobile";
  strict_place?: boolean;
  model?: string;
  kind?: "api" | "serp" | "browser";
  require_search?: boolean;
  keep_unsearched?: boolean;
  raw?: boolean;
  retain_hours?: number;
  track?: string;
}

/** The parameters of a scrape that is no item of a batch. */
export interface Parameters extends ItemParameters {
  interactive?: boolean;
}

/** An item of a batch. */
export interface NewItem extends ItemParameters {
  prompt?: string;
  scraper?: string;
}

/** A batch: `items`, or `prompts` with `scrapers` and `countries`; the others are their defaults. */
export interface NewBatch extends NewItem {
  items?: NewItem[];
  prompts?: string[];
  scrapers?: string[];
  countries?: string[];
  samples?: number;
  interactive?: boolean;
}

/** Which jobs an export has: /docs/export. */
export interface ResultFilters {
  since?: string;
  until?: string;
  scraper?: string;
  label?: string;
  country?: string;
  batch?: string;
  tracker?: string;
  after?: string;
}

/** A page that the engine consulted. */
export interface Source {
  title: string;
  url: string;
  snippet: string;
  position?: number | null;
  times?: number;
  cited?: boolean | null;
  date?: string | null;
}

/** Where an answer is from. */
export interface Provenance {
  upstream: string;
  kind: UpstreamKind;
  model_asked: string | null;
  fields: Record<string, string>;
}

/** Whether the engine searched the web. */
export interface Search {
  asked: boolean;
  made: boolean | null;
  calls: number | null;
  failed: number | null;
}

/** What every scraper returns; /docs/results has the fields of each. */
export interface Result {
  scraper: string;
  status: string;
  job_id: string;
  prompt: string;
  country: string;
  result: string;
  result_markdown: string;
  search_queries?: string[];
  sources?: Source[];
  citations?: Source[];
  llm_model: string | null;
  credits_used: number;
  elapsed_ms: number;
  cached: boolean;
  markdown_url: string;
  present?: boolean;
  warnings?: string[];
  provenance: Provenance;
  search?: Search;
}

/** A job: `result` once it is done, `error` once it has failed. */
export interface Job {
  job_id: string;
  status: JobStatus;
  scraper: string;
  prompt: string;
  country: string;
  result?: Result;
  error?: string;
  created_at: string;
  completed_at: string | null;
  phase: JobPhase;
  attempts: number;
  started_at: string | null;
  expires_at: string;
  label: string | null;
  error_code: string | null;
  present?: boolean;
  batch_id?: string;
  usage?: Record<string, Json>;
  /** Of a list alone, as the next two. */
  seconds?: number;
  search?: Search;
  account?: string;
}

/** The items of a batch, counted by state. */
export interface BatchCounts {
  items: number;
  refused: number;
  pending: number;
  done: number;
  failed: number;
  /** Those of the failed that were canceled. */
  canceled?: number;
}

/** An item of a batch: its job, or in `error` why there is none. */
export interface BatchItem {
  index: number;
  job_id?: string;
  status?: JobStatus;
  scraper?: string;
  country?: string;
  error_code?: string;
  error?: { code: string; detail: string };
}

/** A batch, with its items in the order of the request. */
export interface Batch {
  batch_id: string;
  status: BatchStatus;
  label: string | null;
  created_at: string;
  completed_at: string | null;
  expires_at: string;
  counts: BatchCounts;
  has_webhook: boolean;
  credits_used?: number;
  items?: BatchItem[];
}

/** Any error of this client. `jobId` names the job where there is one: nothing is lost, wait for it. */
export class AnswerdError extends Error {
  override name = "AnswerdError";
  jobId: string | undefined;
}

/** The service could not be reached, or the connection broke off. */
export class Unreachable extends AnswerdError {
  override name = "Unreachable";
}

/** The service refused the call. `code` is a stable word (/docs/errors-and-retries), or null of a proxy. */
export class ApiError extends AnswerdError {
  override name = "ApiError";
  readonly status: number;
  readonly code: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;

  constructor(status: number, code: string | null, detail: string, retryAfter: number | null) {
    super(code ? `${detail} (HTTP ${status}, ${code})` : `${detail} (HTTP ${status})`);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may succeed soon. */
  get retryable(): boolean {
    return [429, 502, 503, 504].includes(this.status) && !FINAL_CODES.has(this.code ?? "");
  }
}

/** The job failed; its credits were given back. `code` is its `error_code`. */
export class JobFailed extends AnswerdError {
  override name = "JobFailed";
  readonly job: Job;
  readonly code: string | null;

  constructor(job: Job) {
    super(job.error ?? "The job failed.");
    this.job = job;
    this.code = job.error_code;
    this.jobId = job.job_id;
  }
}

/** The time to wait is over and the job or batch goes on: wait for it again. */
export class StillPending extends AnswerdError {
  override name = "StillPending";
}

/** The webhook is not genuine, or too old. */
export class InvalidWebhook extends AnswerdError {
  override name = "InvalidWebhook";
}

// A 429 or a 503 that the next minutes do not mend.
const FINAL_CODES = new Set(
  ["credit_limit", "spend_limit", "too_many_invalid_keys", "scraper_not_configured", "webhooks_not_configured"],
);
// How long the service holds a poll, seconds.
const HOLD_SECONDS = 30;
const BACKOFF_SECONDS = 0.5;
const BACKOFF_SECONDS_MAX = 30;
// A longer Retry-After is for the caller to decide.
const RETRY_AFTER_SECONDS_MAX = 120;

export interface Options {
  url?: string;
  apiKey?: string;
  /** How often a call is sent at most. */
  tries?: number;
  /** Seconds that a call may take. */
  timeout?: number;
}

export interface WaitOptions {
  waitSeconds?: number | undefined;
}

export interface OnceOptions {
  /** Calls with one key make one job; without one each call has a key of its own. */
  idempotencyKey?: string;
}

interface Call {
  query?: object;
  body?: object;
  headers?: Record<string, string>;
  /** Seconds that the service may hold the reply back. */
  hold?: number;
  /** Until when it is sent again, milliseconds of `Date.now()`. */
  deadline?: number;
}

interface Reply {
  json: unknown;
  retryAfter: number | null;
}

/** A client. */
export class Answerd {
  readonly url: string;
  readonly #key: string;
  readonly #tries: number;
  readonly #timeout: number;

  constructor({ url = "http://127.0.0.1:8080", apiKey = "", tries = 5, timeout = 60 }: Options = {}) {
    this.url = url.replace(/\/+$/, "");
    this.#key = apiKey;
    this.#tries = tries;
    this.#timeout = timeout;
  }

  /** Submits a prompt, waits for the answer and returns it. Throws JobFailed where there is none. */
  async ask(scraper: string, prompt: string, options: Parameters & WaitOptions & OnceOptions = {}): Promise<Result> {
    const { waitSeconds, ...others } = options;
    let job = await this.submit(scraper, prompt, others);
    if (!hasEnded(job)) job = await this.wait(job.job_id, { waitSeconds });
    if (job.status === "failed" || !job.result) throw new JobFailed(job);
    return job.result;
  }

  /** Queues a prompt and returns the job. One call makes one job, however often it is sent. */
  async submit(scraper: string, prompt: string, options: Parameters & OnceOptions = {}): Promise<Job> {
    const { idempotencyKey, ...parameters } = options;
    const path = `/scrapers/${encodeURIComponent(scraper)}/jobs`;
    return (await this.#post(path, { ...parameters, prompt }, idempotencyKey)) as Job;
  }

  /** Waits for the end of a job, done or failed, over restarts of the service too. */
  async wait(jobId: string, { waitSeconds = 600 }: WaitOptions = {}): Promise<Job> {
    try {
      return (await this.#wait(`/jobs/${encodeURIComponent(jobId)}`, waitSeconds)) as Job;
    } catch (error) {
      if (error instanceof AnswerdError) error.jobId = jobId;
      throw error;
    }
  }

  /** Returns a job as it is now. */
  async job(jobId: string): Promise<Job> {
    return (await this.call("GET", `/jobs/${encodeURIComponent(jobId)}`)) as Job;
  }

  /** Cancels a job that has not ended. */
  async cancel(jobId: string): Promise<Job> {
    return (await this.call("DELETE", `/jobs/${encodeURIComponent(jobId)}`)) as Job;
  }

  /** Queues up to 1,000 prompts at once. */
  async submitBatch(batch: NewBatch, { idempotencyKey }: OnceOptions = {}): Promise<Batch> {
    return (await this.#post("/batches", batch, idempotencyKey)) as Batch;
  }

  /** Waits until every job of a batch has ended. */
  async waitBatch(batchId: string, { waitSeconds = 3600 }: WaitOptions = {}): Promise<Batch> {
    return (await this.#wait(`/batches/${encodeURIComponent(batchId)}`, waitSeconds)) as Batch;
  }

  /** The jobs of a batch with their results, in the order of its items. A refused item has no job. */
  async *batchJobs(batch: Batch): AsyncGenerator<Job> {
    for (const { job_id } of batch.items ?? []) if (job_id) yield await this.job(job_id);
  }

  /** The rows of an export, oldest first. Goes on behind the last row where the connection breaks off. */
  async *results(rows: ResultRows = "answers", filters: ResultFilters = {}): AsyncGenerator<{ [name: string]: Json }> {
    let after = filters.after;
    for (let failed = 0; ; ) {
      try {
        for await (const line of this.#lines("/results", { ...filters, after, rows, format: "ndjson" })) {
          const row = JSON.parse(line) as { [name: string]: Json };
          after = String(row.cursor);
          failed = 0;
          yield row;
        }
        return;
      } catch (error) {
        failed += 1;
        const pause = pauseSeconds(error, failed);
        if (pause === null || failed >= this.#tries) throw error;
        await sleep(pause);
      }
    }
  }

  /** Any other call of the API: returns its JSON. */
  async call(method: string, path: string, call: { query?: object; body?: object } = {}): Promise<unknown> {
    return (await this.#call(method, path, call)).json;
  }

  async #post(path: string, body: object, idempotencyKey?: string): Promise<unknown> {
    // Made once and sent with every try.
    const headers = { "Idempotency-Key": idempotencyKey ?? newKey() };
    return (await this.#call("POST", path, { body, headers })).json;
  }

  async #wait(path: string, waitSeconds: number): Promise<unknown> {
    const deadline = Date.now() + 1000 * waitSeconds;
    for (;;) {
      const began = Date.now();
      const hold = Math.max(0, Math.min(HOLD_SECONDS, (deadline - began) / 1000));
      const { json, retryAfter } = await this.#call("GET", path, { query: { wait: hold }, hold, deadline });
      if (hasEnded(json as { status: string })) return json;
      const now = Date.now();
      if (now >= deadline) throw new StillPending(`not ended after ${waitSeconds} seconds`);
      // Where the poll was not held, the service says when to come again.
      if (now - began < 500 * hold) await sleep(Math.min((deadline - now) / 1000, retryAfter ?? 2));
    }
  }

  /** Sends until there is a reply: up to `tries` times, or up to a deadline. */
  async #call(method: string, path: string, call: Call): Promise<Reply> {
    for (let sent = 1; ; sent += 1) {
      try {
        const reply = await this.#open(method, path, call);
        return { json: parsed(await read(reply.text())), retryAfter: retryAfter(reply) };
      } catch (error) {
        const pause = pauseSeconds(error, sent);
        const over = call.deadline === undefined
          ? sent >= this.#tries
          : Date.now() + 1000 * (pause ?? 0) > call.deadline;
        if (pause === null || over) throw error;
        await sleep(pause);
      }
    }
  }

  async *#lines(path: string, query: object): AsyncGenerator<string> {
    // An export takes as long as it takes.
    const reply = await this.#open("GET", path, { query, hold: Infinity });
    const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (let rest = ""; reader; ) {
        const { value, done } = await read(reader.read());
        if (done) return;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        yield* lines;
      }
    } finally {
      await reader?.cancel().catch(() => {});
    }
  }

  async #open(method: string, path: string, { query = {}, body, headers = {}, hold = 0 }: Call): Promise<Response> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const all = new Headers(headers);
    if (this.#key) all.set("X-API-Key", this.#key);
    if (body) all.set("Content-Type", "application/json");
    const seconds = this.#timeout + hold;
    const init: RequestInit = { method, headers: all, body: body ? JSON.stringify(body) : null };
    // A redirect would take the key to another server.
    init.redirect = "manual";
    if (Number.isFinite(seconds)) init.signal = AbortSignal.timeout(1000 * seconds);
    const reply = await read(fetch(`${this.url}${path}${given.length ? `?${search}` : ""}`, init));
    if (!reply.ok) throw await apiError(reply);
    return reply;
  }
}

/**
 * Returns the JSON of a webhook that is genuine (Standard Webhooks 1.0); throws InvalidWebhook otherwise.
 * `body` is what came, byte for byte. While the secret changes there are several signatures: one counts.
 */
export async function verifyWebhook(
  secret: string,
  headers: Headers | Record<string, string | string[] | undefined>,
  body: string | Uint8Array,
  toleranceSeconds = 300,
): Promise<unknown> {
  const given = headers instanceof Headers ? Object.fromEntries(headers) : lowerCase(headers);
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = given;
  if (!id || !signatures || !/^\d+$/.test(timestamp ?? "")) {
    throw new InvalidWebhook("a header of the webhook is missing or malformed");
  }
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= toleranceSeconds)) {
    throw new InvalidWebhook("the timestamp is too far away");
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + bytes.length);
  signed.set(head);
  signed.set(bytes, head.length);
  const secretBytes = fromBase64(secret.trim().replace("whsec_", ""));
  if (!secretBytes) throw new TypeError("the secret is not `whsec_` and base64");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secretBytes, algorithm, false, ["verify"]);
  let genuine = false;
  for (const each of signatures.split(" ")) {
    const signature = each.startsWith("v1,") ? fromBase64(each.slice(3)) : null;
    // In constant time, as Web Cryptography demands of it.
    if (signature && (await crypto.subtle.verify("HMAC", key, signature, signed))) genuine = true;
  }
  if (!genuine) throw new InvalidWebhook("no signature matches");
  return JSON.parse(new TextDecoder().decode(bytes));
}

function lowerCase(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(" ") : value);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), one(value)]));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function hasEnded({ status }: { status: string }): boolean {
  return status === "done" || status === "failed";
}

/** A key that no other call has; also where a page has no secure context. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(200, null, "The reply is not JSON; is this the address of answerd?", null);
  }
}

/** What fetch and its streams throw are faults of the connection. */
async function read<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    throw new Unreachable(`the connection failed: ${String(error)}${cause}`);
  }
}

async function apiError(reply: Response): Promise<ApiError> {
  const problem = await reply.json().catch(() => null);
  const { code = null, detail = reply.statusText, job_id } = problem ?? {};
  const error = new ApiError(reply.status, code, detail, retryAfter(reply));
  error.jobId = job_id;
  return error;
}

/** Seconds, from either form of the header. */
function retryAfter(reply: Response): number | null {
  const value = reply.headers.get("Retry-After");
  if (value === null) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/** Seconds until a call is sent again, with jitter so that clients do not come all at once; null: never. */
function pauseSeconds(error: unknown, sent: number): number | null {
  const jitter = Math.random() * Math.min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** (sent - 1));
  if (error instanceof Unreachable) return jitter;
  if (!(error instanceof ApiError) || !error.retryable) return null;
  if (error.retryAfter === null) return jitter;
  return error.retryAfter > RETRY_AFTER_SECONDS_MAX ? null : error.retryAfter + Math.min(jitter, 1);
}

function sleep(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, 1000 * seconds));
}
