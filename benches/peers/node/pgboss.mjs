import PgBoss from "pg-boss";
import { ANSWER, measure, untilEnded } from "./rate.mjs";

// How many jobs a worker takes at once, and how long it rests when there is none, milliseconds: its own
// workers look twice a second at most.
const BATCH = 64;
const REST_MS = 1;

const [connectionString, inFlight, seconds, work] = process.argv.slice(2);
const boss = new PgBoss({ connectionString, max: Math.min(Number(inFlight) + 1, 64) });
boss.on("error", (error) => {
  throw error;
});
await boss.start();
await boss.createQueue(work);
if (work === "whole") {
  const jobs = untilEnded((data) => boss.send(work, data));
  const worker = async () => {
    for (;;) {
      const taken = await boss.fetch(work, { batchSize: BATCH });
      if (taken.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
        continue;
      }
      await boss.complete(work, taken.map((job) => job.id), { answer: ANSWER });
      taken.forEach((job) => jobs.ended(job.data.n));
    }
  };
  worker().catch((error) => {
    console.error(error);
    process.exit(1);
  });
  await measure(jobs.run, Number(inFlight), Number(seconds));
} else {
  await measure((body) => boss.send(work, { body }), Number(inFlight), Number(seconds));
  await boss.stop({ graceful: false });
}
process.exit(0);
