-- SPDX-License-Identifier: GPL-2.0-or-later
-- collector.sql -- collector's table `traffic` as a view on nettally's ledger: a row per client and minute with traffic.
--
--   sqlite3 /var/lib/nettally/ledger.db < collector.sql
--
-- Needs the account `clients` of examples/collector.conf. `up` is what this server sent to the client (what the client received),
-- `down` what it got from it; `dns` is what the client was called at that time, NULL where nobody knows. Bytes are frames on the
-- wire, as collector counted them.
DROP VIEW IF EXISTS traffic;
CREATE VIEW traffic AS
SELECT
	row_number() OVER (ORDER BY c.window, c.host) AS id,
	c.host AS ip,
	(SELECT n.name FROM name n WHERE n.key = c.host AND n.since < c.window + c.length
	 ORDER BY n.since DESC LIMIT 1) AS dns,
	sum(CASE c.service WHEN 'consensus' THEN c.rx_l2_bytes ELSE 0 END) AS consensus_up,
	sum(CASE c.service WHEN 'consensus' THEN c.tx_l2_bytes ELSE 0 END) AS consensus_down,
	sum(CASE c.service WHEN 'siamux' THEN c.rx_l2_bytes ELSE 0 END) AS siamux_up,
	sum(CASE c.service WHEN 'siamux' THEN c.tx_l2_bytes ELSE 0 END) AS siamux_down,
	sum(CASE c.service WHEN 'quic' THEN c.rx_l2_bytes ELSE 0 END) AS quic_up,
	sum(CASE c.service WHEN 'quic' THEN c.tx_l2_bytes ELSE 0 END) AS quic_down,
	datetime(c.window, 'unixepoch') AS timestamp
FROM record_clients c
WHERE c.service IN ('consensus', 'siamux', 'quic')
GROUP BY c.length, c.window, c.host;
