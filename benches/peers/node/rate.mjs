// Keeps so many submits under way for so many seconds and prints how many a second were acknowledged.
export const measure = async (submit, inFlight, seconds) => {
  const payload = "x".repeat(128);
  const until = Date.now() + seconds * 1000;
  let done = 0;
  const began = Date.now();
  const client = async () => {
    while (Date.now() < until) {
      await submit(payload);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  console.log(`per second: ${done / ((Date.now() - began) / 1000)}`);
};
