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
CREATE TABLE IF NOT EXISTS token_scopes (digest TEXT PRIMARY KEY, scopes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calibrations (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, external_id TEXT NOT NULL, sensors TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS calibrations_by_external_id ON calibrations (external_id);
CREATE TABLE IF NOT EXISTS described_scenes (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, external_id TEXT NOT NULL, status TEXT NOT NULL,
    calibration_id TEXT, details TEXT NOT NULL, ego_poses TEXT, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS scenes_by_external_id ON described_scenes (external_id);
CREATE TABLE IF NOT EXISTS scene_annotations (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, scene_uuid TEXT NOT NULL, content BLOB NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS contents_of_scene ON scene_annotations (scene_uuid);
CREATE INDEX IF NOT EXISTS annotations_of_scene_anywhere ON annotations (scene_uuid);
CREATE TABLE IF NOT EXISTS idempotency_keys (
    group_uuid TEXT NOT NULL, key TEXT NOT NULL, prediction_uuid TEXT NOT NULL, PRIMARY KEY (group_uuid, key)
) WITHOUT ROWID;
"""
