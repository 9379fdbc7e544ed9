-- The tables of one hour, whose number is put in place of {hour}. They are plain tables, named directly:
-- a look-up through the parent of 26 partitions takes three times as long. They are only added to and
-- then dropped, so that vacuum has nothing to do there.

CREATE TABLE jobs_{hour}(row int8 PRIMARY KEY, account int4 NOT NULL, created_ms int8 NOT NULL, asked bytea NOT NULL)
  WITH (autovacuum_enabled = off);
CREATE INDEX ON jobs_{hour}(account, created_ms, row);
CREATE TABLE ends_{hour}(row int8 PRIMARY KEY, standing bytea NOT NULL, result bytea)
  WITH (autovacuum_enabled = off);
CREATE TABLE batches_{hour}(row int8 PRIMARY KEY, account int4 NOT NULL, created_ms int8 NOT NULL,
  record bytea NOT NULL) WITH (autovacuum_enabled = off);
CREATE INDEX ON batches_{hour}(account, created_ms, row);
CREATE TABLE deliveries_{hour}(row int8 PRIMARY KEY, record bytea NOT NULL) WITH (autovacuum_enabled = off);
CREATE TABLE cache_{hour}(stored_ms int8 NOT NULL, row int8 NOT NULL, hash uuid NOT NULL)
  WITH (autovacuum_enabled = off);
CREATE INDEX ON cache_{hour}(stored_ms);
CREATE TABLE evidence_{hour}(row int8, name text, content bytea NOT NULL, PRIMARY KEY(row, name))
  WITH (autovacuum_enabled = off);
INSERT INTO hours(hour, last_expires_ms) VALUES ({number}, 0) ON CONFLICT DO NOTHING;
