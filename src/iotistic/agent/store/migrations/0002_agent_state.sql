-- What the agent keeps for itself.

-- Failures in a row. The deadline is on the boot clock of `boot_id`; after another boot only the
-- remaining span means anything.
CREATE TABLE step_failure (
  app_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  step TEXT NOT NULL,
  count INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  not_before_s REAL NOT NULL,
  remaining_s REAL NOT NULL,
  purpose TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (app_id, kind, name, step)
);

-- What persons asked for; `id` is the order in which they did.
CREATE TABLE intent (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  app_id INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  until_release INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  container_id TEXT NOT NULL,
  seen_start TEXT,
  at_ms INTEGER NOT NULL,
  UNIQUE (kind, app_id, service_id)
);

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
