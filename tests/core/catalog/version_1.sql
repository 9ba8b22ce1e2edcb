BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'isocenter','m001_first_tables','2026-11-21 05:01:43.342158+00:00');
CREATE TABLE "checkpoints" (
   "id" INTEGER PRIMARY KEY,
   "run" TEXT REFERENCES "runs"("id"),
   "kind" TEXT,
   "path" TEXT,
   "sha256" TEXT,
   "size" INTEGER,
   "epoch" INTEGER,
   "step" INTEGER,
   "metric" TEXT,
   "value" REAL,
   "time" REAL
);
CREATE TABLE "datasets" (
   "id" INTEGER PRIMARY KEY,
   "path" TEXT,
   "layout" TEXT,
   "cases" INTEGER,
   "checked" REAL,
   "findings" TEXT
);
CREATE TABLE "events" (
   "id" INTEGER PRIMARY KEY,
   "run" TEXT REFERENCES "runs"("id"),
   "time" REAL,
   "level" TEXT,
   "message" TEXT
);
CREATE TABLE "metric_keys" (
   "id" INTEGER PRIMARY KEY,
   "key" TEXT NOT NULL
);
CREATE TABLE "metrics" (
   "id" INTEGER PRIMARY KEY,
   "run" TEXT REFERENCES "runs"("id"),
   "key" INTEGER REFERENCES "metric_keys"("id"),
   "step" INTEGER,
   "epoch" INTEGER,
   "value" REAL,
   "time" REAL
);
CREATE TABLE "models" (
   "name" TEXT,
   "version" TEXT,
   "folder" TEXT,
   "run" TEXT,
   "sha256" TEXT,
   "time" REAL,
   PRIMARY KEY ("name", "version")
);
CREATE TABLE "predictions" (
   "id" INTEGER PRIMARY KEY,
   "scan" TEXT,
   "model" TEXT,
   "model_version" TEXT,
   "output" TEXT,
   "sha256" TEXT,
   "structures" TEXT,
   "findings" TEXT,
   "seconds" REAL,
   "device" TEXT,
   "time" REAL
);
INSERT INTO "predictions" VALUES(1,'/scans/a.nii','hippocampus','1.0','/out/a_seg.nii.gz','0','[]','[]',2.0,'cpu',1.79523730334341287614e+09);
CREATE TABLE "runs" (
   "id" TEXT PRIMARY KEY,
   "name" TEXT,
   "task" TEXT,
   "state" TEXT,
   "config" TEXT,
   "data_path" TEXT,
   "folder" TEXT,
   "created" REAL,
   "started" REAL,
   "ended" REAL,
   "heartbeat" REAL,
   "pid" INTEGER,
   "host" TEXT,
   "epoch" INTEGER,
   "epochs" INTEGER,
   "summary" TEXT,
   "error" TEXT
);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX "idx_metric_keys_key"
    ON "metric_keys" ("key");
CREATE INDEX "idx_metrics_run_key_step"
    ON "metrics" ("run", "key", "step");
CREATE INDEX "idx_events_run"
    ON "events" ("run");
CREATE INDEX "idx_checkpoints_run_kind"
    ON "checkpoints" ("run", "kind");
CREATE UNIQUE INDEX "idx_datasets_path"
    ON "datasets" ("path");
COMMIT;
PRAGMA user_version = 1;
