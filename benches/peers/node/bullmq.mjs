import { Queue, Worker } from "bullmq";
import { ANSWER, measure, untilEnded } from "./rate.mjs";

const [address, inFlight, seconds, work] = process.argv.slice(2);
const [host, port] = address.split(":");
const connection = { host, port: Number(port) };
const queue = new Queue(work, { connection });
await queue.waitUntilReady();
if (work === "whole") {
  const jobs = untilEnded((data) => queue.add("job", data));
  const worker = new Worker(work, async () => ANSWER, { connection, concurrency: Number(inFlight) });
  // Behind the answer of Redis that the end is stored.
  worker.on("completed", (job) => jobs.ended(job.data.n));
  await worker.waitUntilReady();
  await measure(jobs.run, Number(inFlight), Number(seconds));
  await worker.close();
} else {
  await measure((body) => queue.add("job", { body }), Number(inFlight), Number(seconds));
}
await queue.close();
