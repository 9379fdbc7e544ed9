// Keeps so many jobs under way for so many seconds and prints how many a second came to what they wait for.
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

// What a worker gives back: as much as answerd's upstream answers in the same bench.
export const ANSWER = "x".repeat(2048);

// Jobs that are waited for until a worker has ended them. `submit` puts one into the queue under a number.
export const untilEnded = (submit) => {
  const waiting = new Map();
  let count = 0;
  return {
    run: async (body) => {
      const n = (count += 1);
      const ended = new Promise((resolve) => waiting.set(n, resolve));
      await submit({ body, n });
      await ended;
    },
    ended: (n) => {
      waiting.get(n)();
      waiting.delete(n);
    },
  };
};
