// SPDX-License-Identifier: GPL-2.0-or-later
// A current ClickHouse behind a little of its HTTP interface: `node chdb_server.js PORT FOLDER`; chdb runs in this process. One
// request at a time, as the tests need it: a statement in the body, or one in ?query= with rows in the body.
const fs = require("fs");
const http = require("http");
const path = require("path");
const zlib = require("zlib");
const { Session } = require("chdb");

const [port, folder] = process.argv.slice(2);
const session = new Session(path.join(folder, "data"));

function answer(request, body) {
  const query = new URL(request.url, "http://x").searchParams.get("query");
  if (request.headers["content-encoding"] === "gzip") body = zlib.gunzipSync(body);
  if (!query) return session.query(body.toString(), "TabSeparated");
  const file = path.join(folder, "rows");
  fs.writeFileSync(file, body);
  return session.query(query.replace(/ FORMAT (\w+)$/, ` FROM INFILE '${file}' FORMAT $1`), "TabSeparated");
}

http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      response.end(request.url === "/ping" ? "Ok.\n" : answer(request, Buffer.concat(parts)));
    } catch (error) {
      const text = String(error.message || error);
      response.writeHead(500);
      response.end(text.slice(Math.max(0, text.indexOf("Code: "))));
    }
  });
}).listen(Number(port), "127.0.0.1");
