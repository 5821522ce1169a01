"""The tables of the database, which is a file that outlives the emulator: they may be added to, not changed."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (id TEXT PRIMARY KEY, secret_digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    segmentation INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS scenes (
    seq INTEGER PRIMARY KEY, dataset_uuid TEXT NOT NULL, uuid TEXT NOT NULL, UNIQUE (dataset_uuid, uuid)
);
CREATE INDEX IF NOT EXISTS scenes_in_order ON scenes (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS annotations (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, dataset_uuid TEXT NOT NULL,
    scene_uuid TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS annotations_of_scene ON annotations (dataset_uuid, scene_uuid);
CREATE INDEX IF NOT EXISTS annotations_in_order ON annotations (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS predictions_groups (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, dataset_uuid TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, class_mapping TEXT, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS groups_of_dataset ON predictions_groups (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS predictions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, group_uuid TEXT NOT NULL,
    scene_uuid TEXT NOT NULL, size INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS predictions_in_order ON predictions (group_uuid, seq);
CREATE INDEX IF NOT EXISTS predictions_of_scene ON predictions (group_uuid, scene_uuid);
CREATE TABLE IF NOT EXISTS documents (prediction_seq INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""
