"""The tables of the key store; made when the file is."""

import sqlite3
from typing import Final

VERSION: Final = 1
"""``PRAGMA user_version``; it rises only when an older agent could not use the store any more."""

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- number: order of arrival, never given twice; used: encoded spans of bytes.
-- Times are milliseconds since 1970.
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    link TEXT NOT NULL,
    block BLOB NOT NULL,
    state TEXT NOT NULL,
    size INTEGER NOT NULL,
    used BLOB NOT NULL,
    kept INTEGER NOT NULL,
    expires INTEGER,
    ended INTEGER,
    UNIQUE (link, block)
);
CREATE INDEX blocks_by_state ON blocks (link, state, number);

CREATE TABLE chunks (
    number INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (number, chunk)
);

-- Keys made here that the peer has not confirmed yet.
CREATE TABLE issued (
    key BLOB PRIMARY KEY,
    link TEXT NOT NULL,
    announcement BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- Keys that wait here for applications; sealed is NULL once there is nothing more to fetch.
CREATE TABLE waiting (
    key BLOB PRIMARY KEY,
    link TEXT NOT NULL,
    master TEXT NOT NULL,
    digest BLOB NOT NULL,
    sealed BLOB,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE recipients (
    key BLOB NOT NULL,
    sae TEXT NOT NULL,
    fetched INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, sae)
) WITHOUT ROWID;

CREATE TABLE counts (
    link TEXT NOT NULL,
    what TEXT NOT NULL,
    whom TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (link, what, whom)
) WITHOUT ROWID;
"""

EXCHANGES: Final = """
-- What the control plane ordered: body is NULL once it has begun. The id stays until it can come no more.
CREATE TABLE IF NOT EXISTS key_orders (
    id TEXT PRIMARY KEY,
    body BLOB,
    taken INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
-- Sessions that are not settled; nothing in them is secret.
CREATE TABLE IF NOT EXISTS key_sessions (
    session TEXT PRIMARY KEY,
    peer TEXT NOT NULL,
    record BLOB NOT NULL
) WITHOUT ROWID;
-- What the control plane has not stored yet.
CREATE TABLE IF NOT EXISTS key_reports (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
-- Relays that began or ended in a key at this end: the plan is the key's provenance, word what is still said.
CREATE TABLE IF NOT EXISTS key_relays (
    relay BLOB PRIMARY KEY,
    peer TEXT NOT NULL,
    plan BLOB NOT NULL,
    state TEXT NOT NULL,
    word BLOB NOT NULL
) WITHOUT ROWID;
"""
"""Tables beside the key material, so that a key and what is known of its making change in one transaction."""


def make(database: sqlite3.Connection) -> None:
    """Make the tables of an empty file, all or none."""
    database.executescript(f"BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {VERSION};COMMIT;")
