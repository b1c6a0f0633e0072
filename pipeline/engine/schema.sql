CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    preset TEXT NOT NULL,
    inputs BLOB NOT NULL,
    out BLOB NOT NULL,
    settings TEXT NOT NULL,
    force INTEGER NOT NULL,
    created_s REAL NOT NULL,
    started_s REAL NOT NULL DEFAULT 0,
    ended_s REAL NOT NULL DEFAULT 0,
    discovered INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE jobs (
    job_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs,
    source BLOB NOT NULL,
    relative BLOB NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    engine_deaths INTEGER NOT NULL DEFAULT 0,
    kills INTEGER NOT NULL DEFAULT 0,
    token TEXT NOT NULL DEFAULT '',
    failure TEXT,
    stage TEXT,
    message TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    duplicate_of INTEGER NOT NULL DEFAULT 0,
    reused INTEGER NOT NULL DEFAULT 0,
    ended_s REAL NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '{}',
    division TEXT NOT NULL DEFAULT '',
    UNIQUE (run_id, relative)
);
CREATE INDEX jobs_by_content ON jobs (run_id, content_id) WHERE content_id != '';
CREATE INDEX jobs_by_file ON jobs (run_id, device, inode) WHERE inode != 0;
CREATE INDEX jobs_by_original ON jobs (duplicate_of) WHERE duplicate_of != 0;
CREATE INDEX jobs_by_state ON jobs (run_id, state);
CREATE TABLE attempts (
    job_id INTEGER NOT NULL REFERENCES jobs,
    attempt INTEGER NOT NULL,
    token TEXT NOT NULL,
    started_s REAL NOT NULL,
    ended_s REAL NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '',
    failure TEXT,
    message TEXT NOT NULL DEFAULT '',
    chunk INTEGER NOT NULL DEFAULT -1,
    PRIMARY KEY (job_id, attempt)
) WITHOUT ROWID;
CREATE TABLE chunks (
    job_id INTEGER NOT NULL REFERENCES jobs,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    engine_deaths INTEGER NOT NULL DEFAULT 0,
    kills INTEGER NOT NULL DEFAULT 0,
    token TEXT NOT NULL DEFAULT '',
    failure TEXT,
    message TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, number)
) WITHOUT ROWID;
CREATE TABLE outputs (
    out BLOB NOT NULL,
    relative BLOB NOT NULL,
    output BLOB NOT NULL,
    output_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content_id TEXT NOT NULL,
    stage_keys TEXT NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    source_mtime_ns INTEGER NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (out, relative)
);
