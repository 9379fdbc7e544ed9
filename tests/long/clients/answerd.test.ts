// The TypeScript client of the guide against a running service, and a relay before it that plans faults.
// ANSWERD_URL names the service.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { Answerd, ApiError, InvalidWebhook, JobFailed, StillPending, Unreachable, verifyWebhook } from "./answerd.js";

const url = process.env.ANSWERD_URL ?? "";
const service = new Answerd({ url });

type Fault = "hang up" | "lose the reply" | { cut: number } | { status: number; headers?: OutgoingHttpHeaders; body: unknown };

interface Seen {
  path: string;
  key: string | undefined;
}

/** A client of a relay that does what is planned, then passes requests on. */
async function relay(t: TestContext, ...planned: Fault[]): Promise<{ client: Answerd; seen: Seen[] }> {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "";
    seen.push({ path, key: request.headers["idempotency-key"] as string | undefined });
    const fault = planned.shift();
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (fault === "hang up") return void request.socket.destroy();
    if (typeof fault === "object" && "status" in fault) {
      const body = typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body);
      return void response.writeHead(fault.status, fault.headers).end(body);
    }
    const method = request.method ?? "GET";
    const headers = new Headers({ "Content-Type": "application/json" });
    if (request.headers["idempotency-key"]) headers.set("Idempotency-Key", String(request.headers["idempotency-key"]));
    const reply = await fetch(url + path, { method, headers, body: pieces.length ? Buffer.concat(pieces) : null });
    const body = Buffer.from(await reply.arrayBuffer());
    if (fault === "lose the reply") return void request.socket.destroy();
    if (fault) {
      response.writeHead(200);
      return void response.write(body.subarray(0, fault.cut), () => setImmediate(() => request.socket.destroy()));
    }
    response.writeHead(reply.status).end(body);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return { client: new Answerd({ url: `http://127.0.0.1:${port}` }), seen };
}

const problem = (status: number, code: string, headers: OutgoingHttpHeaders = { "Retry-After": "0" }): Fault =>
  ({ status, headers, body: { detail: "It says no.", code } });
const pending = { job_id: "j", status: "pending", phase: "queued", error_code: null };

test("ask returns the answer", async () => {
  const result = await service.ask("practice", "How do I back up the store?", { country: "de", label: "asked" });
  assert.match(result.result, /backup/);
  assert.deepEqual([result.country, result.provenance.kind], ["DE", "practice"]);
  const job = await service.job(result.job_id);
  assert.deepEqual([job.label, job.result], ["asked", result]);
});

test("a batch is submitted, awaited and read", async () => {
  const items = [{ prompt: "What is a batch?" }, { prompt: "a", country: "XX" }, { prompt: "What is a key?" }];
  const submitted = await service.submitBatch({ scraper: "practice", items });
  const batch = await service.waitBatch(submitted.batch_id);
  assert.deepEqual([batch.status, batch.counts.done, batch.counts.refused], ["done", 2, 1]);
  assert.equal(batch.items?.[1]?.error?.code, "country_invalid");
  const prompts: string[] = [];
  for await (const job of service.batchJobs(batch)) prompts.push(job.prompt);
  assert.deepEqual(prompts, ["What is a batch?", "What is a key?"]);
});

test("one call makes one job however often it is sent", async (t) => {
  const label = crypto.randomUUID();
  const { client, seen } = await relay(t, problem(503, "storage_busy"), "lose the reply", "hang up", problem(429, "rate_limit"));
  const job = await client.submit("practice", "What is a job?", { label });
  assert.deepEqual([seen.length, new Set(seen.map(({ key }) => key)).size], [5, 1]);
  const listed = (await service.call("GET", "/jobs", { query: { label } })) as { jobs: { job_id: string }[] };
  assert.deepEqual(listed.jobs.map(({ job_id }) => job_id), [job.job_id]);
  await client.submit("practice", "What is a job?", { label });
  assert.notEqual(seen.at(-1)?.key, seen[0]?.key);
  await client.submit("practice", "What is a job?", { idempotencyKey: label });
  assert.equal(seen.at(-1)?.key, label);
});

test("Retry-After is obeyed in both forms", async (t) => {
  const date = new Date(Date.now() + 4_000).toUTCString();
  const { client } = await relay(t, problem(503, "shutting_down", { "Retry-After": "1" }), problem(429, "queue_full", { "Retry-After": date }));
  const began = Date.now();
  await client.submit("practice", "What is a job?");
  assert.ok(Date.now() - began >= 2_900, `${Date.now() - began}`);
});

test("what no wait mends is thrown at once", async (t) => {
  for (const [status, code, headers] of [
    [429, "credit_limit", {}],
    [503, "scraper_not_configured", {}],
    [429, "rate_limit", { "Retry-After": "86400" }],
    [400, "prompt_blank", {}],
  ] as const) {
    const { client, seen } = await relay(t, problem(status, code, headers));
    await assert.rejects(client.submit("practice", "a"), (error: ApiError) => error.code === code);
    assert.equal(seen.length, 1);
  }
});

test("tries are bounded, and a wait goes on to its end", async (t) => {
  const { client, seen } = await relay(t, ...Array<Fault>(6).fill("hang up"));
  await assert.rejects(new Answerd({ url: client.url, tries: 2 }).job("j"), Unreachable);
  assert.equal(seen.length, 2);
  const job = await service.submit("practice", "What is a job?");
  assert.equal((await client.wait(job.job_id)).status, "done");
  assert.equal(seen.length, 7);
});

test("a job that goes on, and one that failed, are named", async (t) => {
  const goesOn = await relay(t, { status: 202, body: pending }, { status: 200, body: pending });
  await assert.rejects(goesOn.client.ask("practice", "a", { waitSeconds: 0 }), (error: StillPending) => error.jobId === "j");
  const failed = { ...pending, status: "failed", error: "Our key is wrong.", error_code: "upstream_auth" };
  const { client } = await relay(t, { status: 202, body: failed });
  await assert.rejects(client.ask("practice", "a"), (error: JobFailed) => error.code === "upstream_auth" && error.jobId === "j");
});

test("unknown fields and words are kept", async (t) => {
  const later = { ...pending, status: "paused", phase: "asleep", mood: { good: true } };
  const { client } = await relay(t, { status: 200, body: later }, { status: 200, headers: { "Retry-After": "0" }, body: later }, { status: 200, body: { ...later, status: "done" } });
  assert.deepEqual(await client.job("j"), later);
  assert.deepEqual({ ...(await client.wait("j")) }, { ...later, status: "done" });
});

test("a redirect is not followed, and a page is no reply", async (t) => {
  const { client, seen } = await relay(t, { status: 302, headers: { Location: `${url}/healthz` }, body: "" }, { status: 404, body: "<html>" }, { status: 200, body: "<html>" });
  await assert.rejects(client.call("GET", "/usage"), (error: ApiError) => error.status === 302);
  assert.equal(seen.length, 1);
  for (const status of [404, 200]) {
    await assert.rejects(client.job("j"), (error: ApiError) => error.status === status && error.code === null);
  }
});

test("an export goes on behind the last row", async (t) => {
  const label = crypto.randomUUID();
  const batch = await service.submitBatch({ prompts: ["One?", "Two?", "Three?"], scrapers: ["practice"], label });
  await service.waitBatch(batch.batch_id);
  const rows = async (client: Answerd) => {
    const found: unknown[] = [];
    for await (const row of client.results("answers", { label })) found.push(row);
    return found;
  };
  const all = await rows(service);
  assert.equal(all.length, 3);
  const first = Buffer.byteLength(JSON.stringify(all[0]));
  const { client, seen } = await relay(t, { cut: Math.floor(first / 2) }, { cut: first + 40 }, "hang up");
  assert.deepEqual(await rows(client), all);
  assert.equal(seen.length, 4);
  assert.match(seen.at(-1)?.path ?? "", /after=[0-9a-f]{32}/);
});

test("refusals have their code", async () => {
  for (const [call, code] of [
    [() => service.submit("practice", " "), "prompt_blank"],
    [() => service.submit("no/such", "a"), "scraper_unknown"],
    [() => service.wait(crypto.randomUUID()), "job_not_found"],
  ] as const) {
    await assert.rejects(call(), (error: ApiError) => error.code === code);
  }
});

test("genuine webhooks alone are taken", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = '{"a":"ä"}';
  const sign = (at: number, of = body, by = secret) => {
    const hmac = createHmac("sha256", Buffer.from(by.slice(6), "base64")).update(`msg_1.${at}.${of}`);
    return `v1,${hmac.digest("base64")}`;
  };
  const now = Math.floor(Date.now() / 1000);
  const headers = (signature: string, at = now, id = "msg_1") =>
    ({ "Webhook-Id": id, "webhook-timestamp": String(at), "webhook-signature": signature });
  const other = sign(now, body, `whsec_${Buffer.from("x".repeat(24)).toString("base64")}`);
  assert.deepEqual(await verifyWebhook(secret, headers(sign(now)), body), { a: "ä" });
  assert.deepEqual(await verifyWebhook(secret, new Headers(headers(`v2,? ${other} ${sign(now)}`)), Buffer.from(body)), { a: "ä" });
  for (const [given, sent] of [
    [headers(sign(now)), `${body} `],
    [headers(other), body],
    [headers(sign(now).replace("v1,", "v2,")), body],
    [headers(sign(now), now, "msg_2"), body],
    [headers(sign(now - 301), now - 301), body],
    [headers(sign(now + 301), now + 301), body],
    [{ "webhook-id": "msg_1" }, body],
    [{}, body],
  ] as [Record<string, string>, string][]) {
    await assert.rejects(verifyWebhook(secret, given, sent), InvalidWebhook);
  }
});
