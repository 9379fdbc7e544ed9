import { makeWorkerUtils, run } from "graphile-worker";
import { measure, untilEnded } from "./rate.mjs";

// How many jobs its workers run at once, each on what they take from their pool of connections, and how
// often they look where no notice wakes them, milliseconds. It keeps no result.
const CONCURRENCY = 64;
const POOL = 16;
const POLL_MS = 100;

const [connectionString, inFlight, seconds, work] = process.argv.slice(2);
const options = { connectionString, maxPoolSize: POOL };
const utils = await makeWorkerUtils(options);
await utils.migrate();
if (work === "whole") {
  const jobs = untilEnded((data) => utils.addJob("whole", data));
  const runner = await run({
    ...options,
    concurrency: CONCURRENCY,
    pollInterval: POLL_MS,
    noHandleSignals: true,
    logger: undefined,
    taskList: { whole: async () => {} },
  });
  runner.events.on("job:complete", ({ job }) => jobs.ended(job.payload.n));
  await measure(jobs.run, Number(inFlight), Number(seconds));
} else {
  await measure((body) => utils.addJob("submits", { body }), Number(inFlight), Number(seconds));
}
process.exit(0);
