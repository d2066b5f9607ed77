#!/usr/bin/env python3
"""Programs on asyncio for the table of programs under `oriel run`.

    peers.py get HOST PORT PATH     50 HTTP requests at once; the first answer's body on standard output
    peers.py serve PORT FILE        the file for everybody who connects
    peers.py both                   300 connections at once, both ends in one process
"""
import asyncio
import sys


async def fetch(host, port, path):
    r, w = await asyncio.open_connection(host, port)
    w.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    got = await r.read()
    w.close()
    return got.partition(b"\r\n\r\n")[2]


async def get(host, port, path):
    bodies = await asyncio.gather(*[fetch(host, int(port), path) for _ in range(50)])
    assert all(b == bodies[0] for b in bodies)
    sys.stdout.buffer.write(bodies[0])


async def serve(port, file):
    with open(file, "rb") as f:
        data = f.read()

    async def give(_, w):
        w.write(data)
        await w.drain()
        w.close()
    s = await asyncio.start_server(give, "0.0.0.0", int(port))
    await s.serve_forever()


async def twice(r, w):
    w.write(2 * await r.readline())
    await w.drain()
    w.close()


async def one(port, i):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    w.write(b"%d\n" % i)
    got = await r.read()
    w.close()
    return got == 2 * (b"%d\n" % i)


async def both():
    s = await asyncio.start_server(twice, "127.0.0.1", 0)
    port = s.sockets[0].getsockname()[1]
    assert all(await asyncio.gather(*[one(port, i) for i in range(300)]))


asyncio.run({"get": get, "serve": serve, "both": both}[sys.argv[1]](*sys.argv[2:]))
