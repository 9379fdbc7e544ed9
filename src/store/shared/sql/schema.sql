-- The tables of a shared store, in a PostgreSQL schema of their own. Those of an hour are in hour.sql.
-- What many transactions change has a row for each slot: a slot is a writer of a node, and slot 0 has
-- what nodes that are gone have left. Readers add the slots up.

-- `schema` and `schema_min` in decimal digits, `id_key` as 16 bytes.
CREATE TABLE meta(name text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE scrapers(number int2 PRIMARY KEY, name text UNIQUE NOT NULL);
CREATE TABLE accounts(number int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL);

-- The hours that have tables, and when the last job of each expires.
CREATE TABLE hours(hour int4 PRIMARY KEY, last_expires_ms int8 NOT NULL);
-- The first counter of each shard that no node has, in the latest hour that was asked for.
CREATE TABLE row_blocks(shard int2 PRIMARY KEY, hour int4 NOT NULL, next int4 NOT NULL);
INSERT INTO row_blocks(shard, hour, next) SELECT shard, 0, 0 FROM generate_series(0, 63) AS shard;

-- A fenced node is dead, and what it held is being given back.
CREATE TABLE nodes(
  node int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text UNIQUE NOT NULL,
  beat int8 NOT NULL DEFAULT 0,
  fenced bool NOT NULL DEFAULT false,
  version text NOT NULL,
  schema int4 NOT NULL,
  record_max int2 NOT NULL,
  workers bytea NOT NULL,
  settings bytea NOT NULL,
  started_ms int8 NOT NULL
) WITH (fillfactor = 10);
-- The fence of each writer: its number rises with each batch, in the batch's transaction.
CREATE TABLE writers(node int4, slot int2, seq int8 NOT NULL, PRIMARY KEY(node, slot))
  WITH (fillfactor = 10);
-- The fences of the writers of nodes that are gone.
CREATE TABLE gone_writers(
  node int4, slot int2, seq int8 NOT NULL, gone_ms int8 NOT NULL, PRIMARY KEY(node, slot)
);
CREATE TABLE leads(name text PRIMARY KEY, node int4 NOT NULL, term int8 NOT NULL, beat int8 NOT NULL)
  WITH (fillfactor = 10);

-- The unfinished jobs, and the only rows of jobs that are updated.
CREATE TABLE queue(
  row int8 PRIMARY KEY,
  scraper int2 NOT NULL,
  interactive bool NOT NULL,
  due_ms int8 NOT NULL,
  start_by_ms int8,
  expires_ms int8 NOT NULL,
  node int4,
  standing bytea NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_open ON queue(scraper, interactive, due_ms, row) WHERE node IS NULL;
CREATE INDEX queue_held ON queue(node) WHERE node IS NOT NULL;
CREATE INDEX queue_expires ON queue(expires_ms);
CREATE INDEX queue_start_by ON queue(start_by_ms) WHERE start_by_ms IS NOT NULL;

CREATE TABLE depth(scraper int2, slot int4, n int8 NOT NULL, PRIMARY KEY(scraper, slot))
  WITH (fillfactor = 10);
CREATE TABLE credits(
  account int4, month int4, slot int4, reserved int8 NOT NULL, used int8 NOT NULL,
  PRIMARY KEY(account, month, slot)
) WITH (fillfactor = 50);
CREATE TABLE usage(
  account int4, day int4, scraper int2, slot int4,
  jobs int8 NOT NULL, done int8 NOT NULL, failed int8 NOT NULL, cached int8 NOT NULL, credits int8 NOT NULL,
  PRIMARY KEY(account, day, scraper, slot)
) WITH (fillfactor = 50);
CREATE TABLE idempotency(
  key_hash uuid PRIMARY KEY, request_hash uuid NOT NULL, row int8 NOT NULL, expires_ms int8 NOT NULL
);
CREATE INDEX idempotency_expires ON idempotency(expires_ms);
CREATE TABLE batch_ends(
  row int8 PRIMARY KEY, done int4 NOT NULL, failed int4 NOT NULL, completed_ms int8, expires_ms int8 NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE outbox(row int8 PRIMARY KEY, due_ms int8 NOT NULL, receiver int8 NOT NULL, node int4)
  WITH (fillfactor = 70);
CREATE INDEX outbox_open ON outbox(due_ms, row) WHERE node IS NULL;
CREATE INDEX outbox_held ON outbox(node) WHERE node IS NOT NULL;
-- The jobs that are done, by the slot of the writer that has ended them and a number that rises with its
-- commits; and the numbers that they have among all, a run of one slot at a time. What was given is never
-- added to.
CREATE TABLE completions(
  slot int4, seq int8, row int8 NOT NULL, completed_ms int8 NOT NULL, expires_ms int8 NOT NULL,
  PRIMARY KEY(slot, seq)
);
CREATE TABLE completion_runs(number int8 PRIMARY KEY, slot int4 NOT NULL, seq int8 NOT NULL, n int8 NOT NULL);
CREATE INDEX completion_runs_slot ON completion_runs(slot, seq);
CREATE TABLE budgets(name text PRIMARY KEY, tat_us int8 NOT NULL) WITH (fillfactor = 10);
CREATE TABLE stats(
  node int4, scraper int2, kind int2, bucket int4, counts bytea NOT NULL,
  PRIMARY KEY(node, scraper, kind, bucket)
);
-- What is not hot: whole records by their kind and key. An empty value is one that is locked and not there.
CREATE TABLE things(kind int2, key bytea, value bytea NOT NULL, PRIMARY KEY(kind, key)) WITH (fillfactor = 70);
