"""A web site on TURN's port, and browsers that wander in where there is none."""
import hashlib
import os
import re
import socket
import ssl
import sys

import lab
import website
from harness import check, equal, test
from streams import StreamClient, connect, connect_tls, make_pair, read_all, tls_context
from turnclient import BINDING, Message, REQUEST

TLS, PLAIN = (lab.SRV, 443), (lab.SRV, 3478)
SITE = "127.0.0.1:8080"
NOT = "no web site behind it"
HERE = os.path.dirname(os.path.abspath(__file__))


def site(t, port, *options):
    """A web site on srv's loopback, ready to answer."""
    p = t.spawn(t.lab.srv, sys.executable, os.path.join(HERE, "website.py"), "127.0.0.1", str(port), *options)

    def accepts():
        with t.lab.srv.entered():
            s = socket.socket()
        with s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    t.until(accepts, "the web site listens", 10)
    return p


def served(t, **conf):
    crt, key = make_pair(t.dir, "turn")
    return t.server(tls_listening_port=443, cert=crt, pkey=key, **conf)


def behind(t, *options, **conf):
    t.net()
    site(t, 8080, *options)
    return served(t, https_backend=SITE, **conf)


def curl(t, url, *options):
    """Status and what was printed, without certificates being checked."""
    return t.run(t.lab.cli, "curl", "-sS", "-k", "--max-time", "15", *options, url)


def turn_works(t, at=TLS, alpn=()):
    c = StreamClient(connect_tls(t.lab.cli, at, alpn=alpn), scale=t.scale)
    c.allocate()
    c.refresh(0)
    c.close()


@test("curl reads the site over TLS; TURN is served on the same port", not_coturn=NOT)
def backend(t):
    behind(t)
    for option in ("--http1.1", "--http2", "--no-alpn"):
        status, out = curl(t, "https://%s/some/page" % lab.SRV, option)
        equal((status, out), (0, "site /some/page client unknown\n"), "curl " + option)
        for alpn in ((), ("stun.turn",), ("http/1.1",), ("h2", "http/1.1", "stun.turn")):
            turn_works(t, alpn=alpn)


@test("the site is told who the client is", not_coturn=NOT)
def backend_proxy(t):
    behind(t, "--proxy", https_backend_proxy_protocol=True)
    _, out = curl(t, "https://%s/" % lab.SRV, "--interface", lab.CLI_B, "--local-port", "23456")
    equal(out, "site / client %s 23456 to %s 443\n" % (lab.CLI_B, lab.SRV), "what the site knows")
    _, out = curl(t, "https://[%s]/" % lab.SRV6, "--interface", lab.CLI6_B, "--local-port", "23457")
    equal(out, "site / client %s 23457 to %s 443\n" % (lab.CLI6_B, lab.SRV6), "what the site knows")


@test("through both: a balancer's client is told to the site", not_coturn=NOT)
def backend_behind_balancer(t):
    behind(t, "--proxy", https_backend_proxy_protocol=True, tcp_proxy_port=8443, proxy_protocol_from=lab.CLI)
    s = connect_tls(t.lab.cli, (lab.SRV, 8443), before=b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 443\r\n")
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    check(b"client 203.0.113.7 4000 to 192.0.2.1 443" in read_all(s), "the site knows another")


@test("large answers and uploads arrive whole, many requests on one connection, slow readers", timeout=60,
      not_coturn=NOT)
def volume(t):
    behind(t)
    big = os.path.join(t.dir, "big")
    status, _ = curl(t, "https://%s/big" % lab.SRV, "-o", big, "--limit-rate", "6M")
    equal(status, 0, "curl's status")
    with open(big, "rb") as f:
        equal(hashlib.sha1(f.read()).digest(), hashlib.sha1(website.BIG).digest(), "the answer's digest")
    back = os.path.join(t.dir, "back")
    status, _ = curl(t, "https://%s/up" % lab.SRV, "-o", back, "--data-binary", "@" + big)
    equal(status, 0, "curl's status")
    with open(back, "rb") as f:
        check(f.read() == website.BIG, "the upload came back changed")
    status, out = curl(t, "https://%s/[1-20]" % lab.SRV, "-w", "%{num_connects} ")
    equal(status, 0, "curl's status")
    equal(out.count("site /"), 20, "answers")
    check(out.rstrip().endswith(" 0") or out.count("\n0 ") >= 15, "connections were not kept: %s", out[-60:])


@test("the end of each direction is passed on by itself", not_coturn=NOT)
def half_close(t):
    behind(t)
    s = connect_tls(t.lab.cli, TLS)
    s.sendall(b"GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = read_all(s)
    check(got.endswith(b"site /end client unknown\n"), "%r", got)


@test("a site that is down: 502, counted in the log, and TURN goes on", not_coturn=NOT)
def down(t):
    s = served(t, https_backend=SITE)
    status, out = curl(t, "https://%s/" % lab.SRV, "-w", "%{http_code}")
    equal(status, 0, "curl's status")
    check(out.endswith("502") and "Bad Gateway" in out, "the page: %s", out)
    s.wait_log("backend_down.*backend=127.0.0.1:8080", 5)
    turn_works(t)


@test("a site that accepts and says nothing: 502 when it closes", not_coturn=NOT)
def mute(t):
    t.net()
    with t.lab.srv.entered():
        listener = socket.socket()
    listener.bind(("127.0.0.1", 8080))
    listener.listen()
    served(t, https_backend=SITE)
    s = connect_tls(t.lab.cli, TLS)
    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
    conn, _ = listener.accept()
    equal(conn.recv(100), b"GET / HTTP/1.1\r\n\r\n", "what the site got")
    conn.close()
    check(read_all(s).startswith(b"HTTP/1.1 502 "), "no 502")


@test("by SNI a connection goes on undecrypted, whatever its ClientHello is cut into", not_coturn=NOT)
def passthrough(t):
    t.net()
    crt, key = make_pair(t.dir, "site", cn="www.example.org", serial=77)
    site(t, 8081, "--tls", crt, key)
    with open(crt) as f:
        other = ssl.PEM_cert_to_DER_cert(f.read())
    served(t, tls_passthrough=["WWW.example.org=127.0.0.1:8081", "down.example.org=127.0.0.1:9"])
    for name, there in (("www.example.org", True), ("turn.example.org", False), (None, False)):
        s = connect_tls(t.lab.cli, TLS, name=name)
        equal(s.getpeercert(binary_form=True) == other, there, "the site's certificate for %s" % name)
        s.close()
    _, out = curl(t, "https://www.example.org/x", "--resolve", "www.example.org:443:" + lab.SRV)
    equal(out, "site /x client unknown\n", "the site's answer")
    turn_works(t)
    raw = connect(t.lab.cli, TLS)
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(inside, outside, server_hostname="www.example.org")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outside.read()
    for i in range(0, len(hello), 40):
        raw.sendall(hello[i:i + 40])
        turn = StreamClient(connect(t.lab.cli, PLAIN), scale=t.scale)
        turn.ask(Message(BINDING, REQUEST).encode())
        turn.close()
    inside.write(raw.recv(65536))
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    equal(tls.getpeercert(binary_form=True), other, "certificate after a hello in pieces")
    gone = connect(t.lab.cli, TLS)
    try:
        tls_context().wrap_socket(gone, server_hostname="down.example.org")
        raise AssertionError("a site that is down was reached")
    except (ssl.SSLError, ConnectionError):
        pass


@test("without a site a browser gets a short page, on plain and TLS ports", not_coturn="another page")
def wanderer(t):
    served(t)
    for url in ("https://%s/" % lab.SRV, "http://%s:3478/" % lab.SRV, "http://%s:443/" % lab.SRV):
        status, out = curl(t, url, "-w", "%{http_code}")
        equal(status, 0, "curl's status for " + url)
        check(out.endswith("404") and "There is no web site here" in out, "the page: %s", out)
        status, out = curl(t, url, "-I")
        equal(status, 0, "curl's status for HEAD " + url)
        check(out.startswith("HTTP/1.1 404 Not Found"), "the answer to HEAD: %s", out)
    s = connect(t.lab.cli, PLAIN)
    for byte in b"GET /slowly HTTP/1.1\r":
        s.sendall(bytes([byte]))
    s.sendall(b"\n")
    check(read_all_then_close(s).startswith(b"HTTP/1.1 404 "), "no 404")
    s = connect(t.lab.cli, PLAIN)
    s.sendall(b"GET /" + b"x" * 5000)
    check(read_all_then_close(s).startswith(b"HTTP/1.1 404 "), "no 404 for a long line")
    turn_works(t)


def read_all_then_close(s):
    got = read_all(s)
    s.close()
    return got


@test("ALPN for HTTP is offered only with a site", not_coturn=NOT)
def alpn(t):
    served(t)
    s = connect_tls(t.lab.cli, TLS, alpn=("h2", "http/1.1"))
    equal(s.selected_alpn_protocol(), None, "protocol without a site")
    s = connect_tls(t.lab.cli, TLS, alpn=("http/1.1", "stun.turn"))
    equal(s.selected_alpn_protocol(), "stun.turn", "protocol")


@test("acme-redirect sends challenges on, and nothing else", not_coturn="its own way to write it")
def acme(t):
    served(t, acme_redirect="http://acme.example.org/here/")
    for base in ("http://%s:3478" % lab.SRV, "https://%s" % lab.SRV):
        status, out = curl(t, base + "/.well-known/acme-challenge/Tok-en_1", "-w", "%{http_code} %{redirect_url}")
        equal((status, out), (0, "301 http://acme.example.org/here/Tok-en_1"), "the redirection")
        for path in ("/.well-known/acme-challenge/", "/.well-known/acme-challenge/a/b",
                     "/.well-known/acme-challenge/a%0d%0aSet-Cookie:x", "/"):
            _, out = curl(t, base + path, "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is")
            equal(out, "404", "status for " + path)


@test("SSH, TLS 1.0 and garbage are ended with a reason; TURN goes on", not_coturn="silence")
def garbage(t):
    s = served(t, relay_threads=1)  # its log tells of the first, the second, the fourth such end
    status, out = t.run(t.lab.cli, "openssl", "s_client", "-connect", "%s:%d" % TLS, "-tls1",
                        "-cipher", "ALL:@SECLEVEL=0")
    check(status != 0 and "Cipher is (NONE)" in out, "an old TLS was spoken: %s", out[-300:])
    s.wait_log("conn_end client=%s:.* reason=tls_failed" % re.escape(lab.CLI), 5)
    for said in (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\xff" * 64, b"\0" * 64, b"\x01\x01\x00\x03" + b"\0" * 60):
        for at in (PLAIN, TLS):
            c = connect(t.lab.cli, at)
            c.sendall(said)
            equal(read_all(c), b"", "what %r gets" % said[:8])
    s.wait_log("conn_end.* transport=tcp reason=not_turn", 5)
    c = connect_tls(t.lab.cli, TLS)
    c.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    equal(read_all(c), b"", "what SSH inside of TLS gets")
    turn_works(t)
