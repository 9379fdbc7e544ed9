import PgBoss from "pg-boss";
import { measure } from "./rate.mjs";

const [connectionString, inFlight, seconds] = process.argv.slice(2);
const boss = new PgBoss({ connectionString, max: Math.min(Number(inFlight), 64) });
boss.on("error", (error) => {
  throw error;
});
await boss.start();
await boss.createQueue("jobs");
await measure((body) => boss.send("jobs", { body }), Number(inFlight), Number(seconds));
await boss.stop({ graceful: false });
process.exit(0);
