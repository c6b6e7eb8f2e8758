-- The tables that users of the device query by hand. Their columns are a contract: they keep
-- their names, order and types; what was added stands at the end.

CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  deviceId TEXT,
  deviceName TEXT,
  deviceType TEXT,
  apiKey TEXT,                        -- sealed
  apiEndpoint TEXT,
  registeredAt INTEGER,               -- Unix milliseconds
  provisioned BOOLEAN DEFAULT FALSE,
  mqttBrokerUrl TEXT,
  mqttUsername TEXT,
  mqttPassword TEXT,                  -- sealed
  mqttBrokerConfig TEXT,              -- JSON, secrets masked
  apiTlsConfig TEXT,                  -- JSON
  createdAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  provisioningApiKey TEXT,            -- sealed
  applicationId TEXT,
  macAddress TEXT,
  osVersion TEXT,
  agentVersion TEXT,
  dialect TEXT,
  creationId TEXT,                    -- pairs this file with identity.json
  identity TEXT,                      -- all of identity.json, sealed
  identityHash TEXT,                  -- keyed hash of what `identity` holds
  rebuiltBecause TEXT                 -- why this file was made anew, until somebody dealt with it
);

CREATE TABLE target_state (
  id INTEGER PRIMARY KEY,
  apps TEXT NOT NULL,                 -- JSON, secret values sealed
  config TEXT,                        -- JSON, secret values sealed
  state_hash TEXT,
  version INTEGER,
  updatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  epoch TEXT,
  etag TEXT,
  received_at INTEGER,                -- Unix milliseconds
  applied_at INTEGER                  -- Unix milliseconds
);

CREATE TABLE device_sensors (
  id INTEGER PRIMARY KEY,
  configId TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  protocol TEXT NOT NULL,
  config TEXT NOT NULL,
  enabled BOOLEAN DEFAULT TRUE,
  createdAt TIMESTAMP,
  updatedAt TIMESTAMP
);

CREATE TABLE sensor_outputs (
  id INTEGER PRIMARY KEY,
  sensorId INTEGER NOT NULL,
  name TEXT NOT NULL,
  dataType TEXT NOT NULL,
  unit TEXT,
  topic TEXT NOT NULL,
  config TEXT,
  FOREIGN KEY (sensorId) REFERENCES device_sensors(id) ON DELETE CASCADE
);

CREATE TABLE anomaly_detections (
  id INTEGER PRIMARY KEY,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  expected REAL,
  deviation REAL,
  method TEXT NOT NULL,
  severity TEXT NOT NULL,
  confidence REAL NOT NULL,
  timestamp INTEGER NOT NULL,
  metadata TEXT
);
