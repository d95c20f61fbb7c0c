"""The stats port, as its users reach it: requests one by one, and the event stream."""
import http.client
import json
import socket
import ssl

import lab

PORT = 9641
TOKENS = {"read": "read-token-0123456789", "mint": "mint-token-0123456789",
          "admin": "admin-token-0123456789"}
CONF = {"http-address": lab.SRV, "http-port": PORT,
        "http-token": ["%s:%s" % item for item in TOKENS.items()]}


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body
        self.type = response.headers.get("Content-Type", "")

    def json(self):
        return json.loads(self.body)


class StatsPort:
    """From host cli, unless another namespace is named."""

    def __init__(self, t, role="admin", ns=None, context=None, address=lab.SRV):
        self.t, self.role, self.ns = t, role, ns or t.lab.cli
        self.context, self.address = context, address
        self.conn = None

    def socket(self):
        s = self.ns.tcp(lab.CLI if self.ns is self.t.lab.cli else self.address, (self.address, PORT),
                        timeout=20 * self.t.scale)
        return self.context.wrap_socket(s, server_hostname=self.address) if self.context else s

    def raw(self, data, timeout=20):
        """Bytes as they are; what comes until the server closes or says nothing more."""
        s = self.socket()
        s.settimeout(timeout * self.t.scale)
        s.sendall(data)
        out = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                out += more
        except (socket.timeout, ConnectionResetError):
            pass
        s.close()
        return out

    def ask(self, method, path, body=None, headers=None, token=None):
        """One request on a connection that is kept. token: None for the role's, "" for none."""
        if self.conn is None:
            self.conn = http.client.HTTPConnection(self.address, PORT)
            self.conn.sock = self.socket()
            self.conn.auto_open = 0
        all_headers = dict(headers or {})
        if token is None:
            token = TOKENS[self.role] if self.role else ""
        if token:
            all_headers["Authorization"] = "Bearer " + token
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        self.conn.request(method, path, data, all_headers)
        response = self.conn.getresponse()
        answer = Answer(response, response.read())
        if response.will_close:
            self.close()
        return answer

    def get(self, path, **kw):
        return self.ask("GET", path, **kw)

    def sessions(self, query=""):
        return self.get("/api/v1/sessions" + query).json()

    def metrics(self):
        """Series (with labels, as they are written) to value."""
        out = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                out[name] = float(value)
        return out

    def close(self):
        if self.conn:
            self.conn.close()
            self.conn = None


class Events:
    """A reader of /api/v1/events. status tells whether there is a stream."""

    def __init__(self, port):
        self.conn = http.client.HTTPConnection(port.address, PORT)
        self.conn.sock = port.socket()
        self.conn.request("GET", "/api/v1/events", headers={"Authorization": "Bearer " + TOKENS[port.role]})
        self.response = self.conn.getresponse()
        self.status = self.response.status

    def next(self):
        """(event, data)"""
        name = None
        while True:
            line = self.response.readline()
            if not line:
                raise EOFError("the stream ended")
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                return name, json.loads(line[6:])

    def wait(self, event):
        while True:
            name, data = self.next()
            if name == event:
                return data

    def close(self):
        self.response.close()
        self.conn.close()


def tls_context(cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cert)
    return context
