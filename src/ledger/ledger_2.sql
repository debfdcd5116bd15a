-- SPDX-License-Identifier: GPL-2.0-or-later
-- A ledger of version 2, as nettally 0.1.0 made it (sqlite3's .dump): for migrate_test.c. Never change it.
PRAGMA application_id = 1316249964;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE meta(
	key   TEXT PRIMARY KEY NOT NULL,
	value
) WITHOUT ROWID;
INSERT INTO meta VALUES('bookings',4);
INSERT INTO meta VALUES('created',1700000000);
INSERT INTO meta VALUES('forgotten_hosts',0);
INSERT INTO meta VALUES('last_booked',1700000043);
INSERT INTO meta VALUES('schema_version',2);
INSERT INTO meta VALUES('written_by','nettally 0.1.0');
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
	UNIQUE(name, source, keys)
);
INSERT INTO account VALUES(1,'hosts','packets','host','both',1,1,60,'l2','1min:7d 1h:90d 1d:forever',
'record_hosts','series_hosts',1,1,1,1700000040,1700000040,3,0);
INSERT INTO account VALUES(2,'epoch','packets','src_port','both',1,1,60,'l2','1min:7d 1h:90d 1d:forever',
'record_epoch','series_epoch',1,1,0,1700000040,1700000040,2,0);
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
INSERT INTO total VALUES(1,3,3,300,258,6,600,516);
INSERT INTO total VALUES(2,2,2,200,172,0,0,0);
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
	ipv6       TEXT
) WITHOUT ROWID;
CREATE TABLE host(
	host       TEXT PRIMARY KEY NOT NULL,
	first_seen INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL
) WITHOUT ROWID;
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
	in_flight_packets  INTEGER NOT NULL, capture_why TEXT, ingress_frame_bytes INTEGER NOT NULL DEFAULT 0,
	egress_frame_bytes INTEGER NOT NULL DEFAULT 0, ingress_l2_bytes INTEGER NOT NULL DEFAULT 0,
	egress_l2_bytes INTEGER NOT NULL DEFAULT 0, overflowed INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY(name, run)
) WITHOUT ROWID;
INSERT INTO interface VALUES('eth0','before',1700000000,1,'socket',2,7,700,7,700,4,3,4,3,0,0,0,4,400,3,300,0,0,0,
NULL,0,0,0,0,0);
INSERT INTO interface VALUES('eth0','last',1700000030,1,'socket',2,7,700,7,700,4,3,4,3,0,0,0,4,400,3,300,0,0,0,
NULL,0,0,0,0,0);
CREATE TABLE IF NOT EXISTS "record_hosts"(
	window INTEGER NOT NULL,
	length INTEGER NOT NULL,
	"host" TEXT NOT NULL,
	"rx_packets" INTEGER NOT NULL, "rx_l2_bytes" INTEGER NOT NULL, "rx_l3_bytes" INTEGER NOT NULL,
	"tx_packets" INTEGER NOT NULL,
	"tx_l2_bytes" INTEGER NOT NULL, "tx_l3_bytes" INTEGER NOT NULL,
	PRIMARY KEY(length, window, "host")
) WITHOUT ROWID;
INSERT INTO record_hosts VALUES(1700000040,60,'10.0.0.1',1,100,86,2,200,172);
INSERT INTO record_hosts VALUES(1700000040,60,'10.0.0.2',1,100,86,2,200,172);
INSERT INTO record_hosts VALUES(1700000040,60,'10.0.0.3',1,100,86,2,200,172);
CREATE TABLE IF NOT EXISTS "series_hosts"(
	"host" TEXT NOT NULL,
	"rx_packets" INTEGER NOT NULL, "rx_l2_bytes" INTEGER NOT NULL, "rx_l3_bytes" INTEGER NOT NULL,
	"tx_packets" INTEGER NOT NULL,
	"tx_l2_bytes" INTEGER NOT NULL, "tx_l3_bytes" INTEGER NOT NULL,
	PRIMARY KEY("host")
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "record_epoch"(
	window INTEGER NOT NULL,
	length INTEGER NOT NULL,
	"src_port" INTEGER NOT NULL,
	"packets" INTEGER NOT NULL, "l2_bytes" INTEGER NOT NULL, "l3_bytes" INTEGER NOT NULL,
	PRIMARY KEY(length, window, "src_port")
) WITHOUT ROWID;
INSERT INTO record_epoch VALUES(1700000040,60,1,1,100,86);
INSERT INTO record_epoch VALUES(1700000040,60,2,1,100,86);
CREATE TABLE IF NOT EXISTS "series_epoch"(
	"src_port" INTEGER NOT NULL,
	"packets" INTEGER NOT NULL, "l2_bytes" INTEGER NOT NULL, "l3_bytes" INTEGER NOT NULL,
	PRIMARY KEY("src_port")
) WITHOUT ROWID;
CREATE TABLE epoch(generation TEXT PRIMARY KEY NOT NULL, number INTEGER NOT NULL, booked INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIEW "hosts" AS SELECT datetime(window, 'unixepoch') AS start, * FROM "record_hosts";
COMMIT;
