#!/usr/bin/python3
"""A small web site to stand behind the server: website.py IP PORT [--proxy] [--tls CRT KEY]

GET /big gives 8 MiB, anything else says who asked for what; POST gives the body back. With --proxy
each connection begins with a PROXY header of version 2, and what it says is told.
"""
import http.server
import socket
import ssl
import struct
import sys

BIG = bytes(range(256)) * 32768


def exactly(f, n):
    data = f.read(n)
    if len(data) != n:
        raise ConnectionError("cut off")
    return data


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    client = "unknown"

    def setup(self):
        super().setup()
        if "--proxy" in sys.argv:
            head = exactly(self.rfile, 16)
            if head[:13] != b"\r\n\r\n\0\r\nQUIT\n\x21":
                raise ConnectionError("no PROXY header: %r" % head)
            body = exactly(self.rfile, struct.unpack("!H", head[14:])[0])
            size, family = (4, socket.AF_INET) if head[13] == 0x11 else (16, socket.AF_INET6)
            self.client = "%s %d to %s %d" % (
                socket.inet_ntop(family, body[:size]), struct.unpack("!H", body[2 * size:2 * size + 2])[0],
                socket.inet_ntop(family, body[size:2 * size]), struct.unpack("!H", body[2 * size + 2:])[0])

    def give(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.give(BIG if self.path == "/big" else ("site %s client %s\n" % (self.path, self.client)).encode())

    def do_POST(self):
        self.give(exactly(self.rfile, int(self.headers["Content-Length"])))


def main():
    ip, port = sys.argv[1], int(sys.argv[2])
    server = http.server.ThreadingHTTPServer((ip, port), Handler)
    if "--tls" in sys.argv:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*sys.argv[sys.argv.index("--tls") + 1:][:2])
        server.socket = ctx.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
