import { Queue } from "bullmq";
import { measure } from "./rate.mjs";

const [address, inFlight, seconds] = process.argv.slice(2);
const [host, port] = address.split(":");
const queue = new Queue("jobs", { connection: { host, port: Number(port) } });
await queue.waitUntilReady();
await measure((body) => queue.add("job", { body }), Number(inFlight), Number(seconds));
await queue.close();
