/* peers.js get URL | serve PORT FILE | both FILE: an HTTP client, a server, or one and the other in one process. */
const fs = require('fs');
const http = require('http');

function fail(e) {
    console.error(e.message);
    process.exit(1);
}

function get(url, done) {
    http.get(url, r => {
        r.pipe(process.stdout);
        r.on('end', done);
    }).on('error', fail);
}

function serve(port, file, ready) {
    const s = http.createServer((q, r) => fs.createReadStream(file).pipe(r));
    s.listen(port, '0.0.0.0', () => ready(s));
}

const [what, a, b] = process.argv.slice(2);
if (what === 'get')
    get(a, () => {});
else if (what === 'serve')
    serve(Number(a), b, () => {});
else
    serve(0, a, s => get(`http://127.0.0.1:${s.address().port}/`, () => s.close()));
