-- Releases that are watched, good or rejected, locks, what must be remembered of images and
-- containers, and the journal.

ALTER TABLE step_failure ADD COLUMN failed_at_ms INTEGER NOT NULL DEFAULT 0;  -- Unix milliseconds

-- The release of an app that was well last: what the device goes back to.
CREATE TABLE release_good (
  app_id INTEGER PRIMARY KEY,
  release_hash TEXT NOT NULL,
  release TEXT NOT NULL,
  at_ms INTEGER NOT NULL,             -- Unix milliseconds
  document TEXT NOT NULL,             -- the app as JSON, secret values sealed
  document_hash TEXT NOT NULL         -- of the column before, as it stands there
);

-- The release of an app that is being watched. Deadlines as in `step_failure`, but that what is
-- left is brought up to date while the device is up.
CREATE TABLE release_candidate (
  app_id INTEGER PRIMARY KEY,
  release_hash TEXT NOT NULL,
  release TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  deadline_s REAL NOT NULL,
  remaining_s REAL NOT NULL,
  began_ms INTEGER NOT NULL
);

-- Releases that were taken back; `id` is the order in which they were.
CREATE TABLE release_rejected (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id INTEGER NOT NULL,
  release_hash TEXT NOT NULL,
  release TEXT NOT NULL,
  reason TEXT NOT NULL,
  service_name TEXT NOT NULL,
  last_words TEXT NOT NULL,           -- JSON, a list of lines
  at_ms INTEGER NOT NULL,
  UNIQUE (app_id, release_hash)
);

-- Locks of persons and of the agent. Those of services are files in their control folders.
CREATE TABLE app_lock (
  app_id INTEGER NOT NULL,
  owner TEXT NOT NULL,
  holder TEXT NOT NULL,
  reason TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  until_s REAL,                       -- nothing: without end
  remaining_s REAL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (app_id, owner)
);

-- One-shots that ended well.
CREATE TABLE completed (
  app_id INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  PRIMARY KEY (app_id, service_id, spec_hash)
);

-- Images that this agent pulled, and what their references meant then; `id` is the order.
CREATE TABLE pulled_image (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id INTEGER NOT NULL,
  reference TEXT NOT NULL,
  release_hash TEXT NOT NULL,
  image_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  UNIQUE (app_id, reference, release_hash)
);

-- What an engine made of a container, right after it was created.
CREATE TABLE container_born (
  container_id TEXT PRIMARY KEY,
  fields TEXT NOT NULL                -- JSON: a short hash by field
);

-- What was done and why.
CREATE TABLE journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,             -- Unix milliseconds
  app_id INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  service_name TEXT NOT NULL,
  event TEXT NOT NULL,
  release TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL                -- JSON
);
CREATE INDEX journal_of_app ON journal (app_id, id);
