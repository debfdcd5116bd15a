-- SPDX-License-Identifier: GPL-2.0-or-later
-- The ledger's fixed tables, version 3 (PRAGMA user_version). Each account has two more, record_NAME and
-- series_NAME, and a view NAME; define.c makes those. Columns are explained in nettally-ledger(5).
-- Times are seconds since 1970 UTC. Counters are whole numbers up to 2^63 - 1 and stay there once reached.

CREATE TABLE meta(
	key   TEXT PRIMARY KEY NOT NULL,
	value
) WITHOUT ROWID;

CREATE TABLE account(
	id           INTEGER PRIMARY KEY,
	name         TEXT NOT NULL,
	source       TEXT NOT NULL,             -- `from` of the config: packets, reports, sockets
	keys         TEXT NOT NULL,             -- `by` of the config: host,service
	parties      TEXT NOT NULL,             -- `of` of the config: both, local, remote
	self         INTEGER NOT NULL,
	groups       INTEGER NOT NULL,
	every_s      INTEGER NOT NULL,
	bytes        TEXT NOT NULL,             -- l2 or l3: what `bytes` means to its readers
	keep         TEXT NOT NULL,
	table_name   TEXT NOT NULL UNIQUE,
	series_table TEXT NOT NULL UNIQUE,
	is_current   INTEGER NOT NULL,          -- 0: the form (source, keys) has changed since
	configured   INTEGER NOT NULL,          -- 0: no longer in the config
	is_whole     INTEGER NOT NULL,          -- 1: both ends of every packet, so received = sent
	first_window INTEGER,
	last_window  INTEGER,
	records      INTEGER NOT NULL DEFAULT 0,
	overflowed   INTEGER NOT NULL DEFAULT 0,
	rolled_until INTEGER,                   -- windows before it are not whole any more: rolled up, or expired
	UNIQUE(name, source, keys)
);

-- All that was ever booked for an account ...
CREATE TABLE total(
	account     INTEGER PRIMARY KEY REFERENCES account(id),
	records     INTEGER NOT NULL,
	rx_packets  INTEGER NOT NULL,
	rx_l2_bytes INTEGER NOT NULL,
	rx_l3_bytes INTEGER NOT NULL,
	tx_packets  INTEGER NOT NULL,
	tx_l2_bytes INTEGER NOT NULL,
	tx_l3_bytes INTEGER NOT NULL
);

-- ... and the part of it that retention or max_size has deleted: total = sum of the records + expired.
CREATE TABLE expired(
	account     INTEGER PRIMARY KEY REFERENCES account(id),
	records     INTEGER NOT NULL,
	rx_packets  INTEGER NOT NULL,
	rx_l2_bytes INTEGER NOT NULL,
	rx_l3_bytes INTEGER NOT NULL,
	tx_packets  INTEGER NOT NULL,
	tx_l2_bytes INTEGER NOT NULL,
	tx_l3_bytes INTEGER NOT NULL
);

CREATE TABLE device(
	mac        TEXT PRIMARY KEY NOT NULL,
	first_seen INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL,
	ipv4       TEXT,
	ipv6       TEXT,
	changed    INTEGER,                     -- when the device or an address of it came
	seq        INTEGER                      -- of that change, as in table changed
) WITHOUT ROWID;

CREATE TABLE host(
	host       TEXT PRIMARY KEY NOT NULL,
	first_seen INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL
) WITHOUT ROWID;

-- The books of each interface: `run` = last, since the daemon took it up; `run` = before, the sum of all earlier runs.
CREATE TABLE interface(
	name               TEXT NOT NULL,
	run                TEXT NOT NULL,
	since              INTEGER NOT NULL,
	is_up              INTEGER NOT NULL,
	capture            TEXT NOT NULL,
	ifindex            INTEGER NOT NULL,
	booked_frames      INTEGER NOT NULL,
	booked_frame_bytes INTEGER NOT NULL,
	booked_packets     INTEGER NOT NULL,
	booked_l2_bytes    INTEGER NOT NULL,
	ingress_packets    INTEGER NOT NULL,
	egress_packets     INTEGER NOT NULL,
	ingress_frames     INTEGER NOT NULL,
	egress_frames      INTEGER NOT NULL,
	lost_packets       INTEGER NOT NULL,
	filtered_packets   INTEGER NOT NULL,
	malformed_packets  INTEGER NOT NULL,
	kernel_rx_packets  INTEGER NOT NULL,
	kernel_rx_bytes    INTEGER NOT NULL,
	kernel_tx_packets  INTEGER NOT NULL,
	kernel_tx_bytes    INTEGER NOT NULL,
	kernel_rx_dropped  INTEGER NOT NULL,
	kernel_tx_dropped  INTEGER NOT NULL,
	in_flight_packets  INTEGER NOT NULL,
	capture_why        TEXT,
	ingress_frame_bytes INTEGER NOT NULL DEFAULT 0,
	egress_frame_bytes INTEGER NOT NULL DEFAULT 0,
	ingress_l2_bytes   INTEGER NOT NULL DEFAULT 0,
	egress_l2_bytes    INTEGER NOT NULL DEFAULT 0,
	overflowed         INTEGER NOT NULL DEFAULT 0,
	filtered_more_packets INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY(name, run)
) WITHOUT ROWID;

-- Kernel tables whose counts are in the records: what a generation of them counted up to epoch `number`.
CREATE TABLE epoch(
	generation TEXT PRIMARY KEY NOT NULL,
	number     INTEGER NOT NULL,
	booked     INTEGER NOT NULL
) WITHOUT ROWID;

-- Of which expression the series of a rule are: the sum of its text. Another one begins anew.
CREATE TABLE expression(
	account INTEGER NOT NULL REFERENCES account(id),
	rule    TEXT NOT NULL,
	sum     INTEGER NOT NULL,
	PRIMARY KEY(account, rule)
) WITHOUT ROWID;

-- What an address or a device (its MAC) was called, from when to when; until NULL: still.
CREATE TABLE name(
	key    TEXT NOT NULL,
	since  INTEGER NOT NULL,
	until  INTEGER,
	name   TEXT NOT NULL,
	source TEXT NOT NULL,
	PRIMARY KEY(key, since)
) WITHOUT ROWID;

-- Who makes a device, by its MAC's assignment; of a locally administered one "(random)".
CREATE TABLE vendor(
	mac    TEXT PRIMARY KEY NOT NULL,
	vendor TEXT NOT NULL
) WITHOUT ROWID;

-- Which device held an address, from when to when.
CREATE TABLE held(
	host   TEXT NOT NULL,
	since  INTEGER NOT NULL,
	until  INTEGER,
	mac    TEXT NOT NULL,
	PRIMARY KEY(host, since)
) WITHOUT ROWID;

-- Each window as long as the account's own that the ledger has, by its last change: a sink goes on behind its cursor. NULL: still
-- open; at its end, and at each later change, it gets the next number of meta's `seq`.
CREATE TABLE changed(
	account INTEGER NOT NULL REFERENCES account(id),
	length  INTEGER NOT NULL,
	window  INTEGER NOT NULL,
	seq     INTEGER,
	PRIMARY KEY(account, length, window)
) WITHOUT ROWID;
CREATE UNIQUE INDEX changed_seq ON changed(seq) WHERE seq IS NOT NULL;
CREATE INDEX changed_open ON changed(window + length) WHERE seq IS NULL;

-- How far each sink has got: it has all changes up to seq, but for what it refused. `again` rises when it is sent all anew.
CREATE TABLE sink(
	name     TEXT PRIMARY KEY NOT NULL,
	again    INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	records  INTEGER NOT NULL,              -- it has got, repeats included
	rejected INTEGER NOT NULL,              -- records of the windows that it refused
	expired  INTEGER NOT NULL               -- records that went before it got them
) WITHOUT ROWID;

-- Windows that a sink refused, kept for another try.
CREATE TABLE rejected(
	sink    TEXT NOT NULL REFERENCES sink(name),
	account INTEGER NOT NULL REFERENCES account(id),
	length  INTEGER NOT NULL,
	window  INTEGER NOT NULL,
	records INTEGER NOT NULL,
	why     TEXT NOT NULL,
	retry   INTEGER NOT NULL,               -- 1: asked for
	PRIMARY KEY(sink, account, length, window)
) WITHOUT ROWID;
