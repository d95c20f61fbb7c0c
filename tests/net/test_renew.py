"""Certificates that are renewed under a running server."""
import os
import re
import signal
import ssl

import lab
from harness import check, equal, test
from streams import StreamClient, connect_tls, make_pair

LOG = "its log says it in other words"
TLS = (lab.SRV, 5349)


def with_tls(t, serial=100, days=90, **conf):
    crt, key = make_pair(t.dir, "live", serial=serial, days=days)
    return t.server(cert=crt, pkey=key, **conf)


def serial_shown(t):
    """What openssl s_client is shown."""
    s = connect_tls(t.lab.cli, TLS)
    der = s.getpeercert(binary_form=True)
    s.close()
    path = os.path.join(t.dir, "shown.pem")
    with open(path, "w") as f:
        f.write(ssl.DER_cert_to_PEM_cert(der))
    _, out = t.run(t.lab.cli, "openssl", "x509", "-noout", "-serial", "-in", path)
    return int(re.search(r"serial=([0-9A-F]+)", out).group(1), 16)


def renew(t, serial, stem="live"):
    """As a tool for certificates does: new files, renamed over the old ones."""
    for path in make_pair(t.dir, "next", serial=serial):
        os.rename(path, os.path.join(t.dir, stem + path[-4:]))


def shown_everywhere(t, serial):
    """Connections are spread over two workers: all of several show it."""
    t.until(lambda: all(serial_shown(t) == serial for _ in range(6)), "serial %d is shown" % serial, 20)


@test("SIGHUP and SIGUSR2 read the certificates again; a session lives on", timeout=60, not_coturn=LOG)
def on_signals(t):
    s = with_tls(t)
    c = StreamClient(connect_tls(t.lab.cli, TLS), scale=t.scale)
    c.allocate()
    peer = t.peer()
    c.permit(lab.PEER)
    equal(serial_shown(t), 100, "serial at start")
    for n, sig in ((101, signal.SIGHUP), (102, signal.SIGUSR2)):
        renew(t, n)
        s.signal(sig)
        s.wait_log(r"cert_loaded.* reason=%s expires=20" % sig.name, 5)
        shown_everywhere(t, n)
        c.refresh()
        c.send(*peer.getsockname(), b"still here")
        equal(peer.recv(64), b"still here", "what the peer got")
    c.close()


@test("s_client sees the new certificate, and resumes a session of before", not_coturn=LOG)
def tickets_survive(t):
    s = with_tls(t, relay_threads=1)
    session = os.path.join(t.dir, "session.pem")
    _, out = t.run(t.lab.cli, "sh", "-c", "echo | openssl s_client -connect %s:%d -tls1_2 -sess_out %s"
                   % (*TLS, session))
    check("New, TLSv1.2" in out, "no new session")
    renew(t, 103)
    s.signal(signal.SIGHUP)
    s.wait_log("cert_loaded.* reason=SIGHUP", 5)
    shown_everywhere(t, 103)
    _, out = t.run(t.lab.cli, "sh", "-c", "echo | openssl s_client -connect %s:%d -tls1_2 -sess_in %s"
                   % (*TLS, session))
    check("Reused, TLSv1.2" in out, "not resumed")
    _, out = t.run(t.lab.cli, "sh", "-c", "echo | openssl s_client -connect %s:%d | "
                   "openssl x509 -noout -serial" % TLS)
    check("serial=%X" % 103 in out, "another serial: %s", out)


@test("files that change are noticed without a signal, as links of certbot and Kubernetes too", timeout=60, not_coturn=LOG)
def on_change(t):
    folders = []
    for n in (1, 2):
        folders.append(os.path.join(t.dir, "v%d" % n))
        os.mkdir(folders[-1])
        make_pair(folders[-1], "live", serial=200 + n)
    data = os.path.join(t.dir, "data")
    os.symlink(folders[0], data)
    s = t.server(cert=data + "/live.crt", pkey=data + "/live.key")
    equal(serial_shown(t), 201, "serial at start")
    os.symlink(folders[1], data + ".new")
    os.rename(data + ".new", data)
    s.wait_log("cert_loaded.* reason=files_changed", 15)
    shown_everywhere(t, 202)
    for path in make_pair(t.dir, "next", serial=203):
        os.rename(path, os.path.join(folders[1], "live" + path[-4:]))
    shown_everywhere(t, 203)


@test("a bad file keeps the old certificate, and is told once", timeout=60, not_coturn=LOG)
def bad_file(t):
    s = with_tls(t, serial=300)
    with open(os.path.join(t.dir, "live.crt"), "w") as f:
        f.write("-----BEGIN CERTIFICATE-----\nnonsense\n")
    s.wait_log("cert_kept.* reason=files_changed", 15)
    s.signal(signal.SIGUSR2)
    s.wait_log("cert_kept.* reason=SIGUSR2", 5)
    equal(serial_shown(t), 300, "serial with a bad file")
    renew(t, 301)
    shown_everywhere(t, 301)
    equal(len(re.findall("cert_kept.* reason=files_changed", s.log())), 1, "lines about the bad file")


@test("files that proc-user may not read: told at start, with what to do; the old stays", not_coturn=LOG)
def unreadable(t):
    crt, key = make_pair(t.dir, "live", serial=400)
    os.chmod(key, 0o600)
    s = t.server(cert=crt, pkey=key, proc_user="nobody")
    s.wait_log("cert_unreadable.*live.key.*note=.*nobody.*restart", 5)
    s.signal(signal.SIGHUP)
    s.wait_log("cert_kept.* reason=SIGHUP.*note=.*deploy hook", 5)
    equal(serial_shown(t), 400, "serial")


@test("a certificate that expires within 14 days is warned about at start", not_coturn=LOG)
def expires_soon(t):
    s = with_tls(t, days=10)
    s.wait_log("cert_expires_soon.*days_left=(9|10)", 5)


@test("without TLS the signals do no harm", not_coturn=LOG)
def without_tls(t):
    s = t.server()
    s.signal(signal.SIGUSR2)
    s.signal(signal.SIGHUP)
    s.wait_log("log_reopened", 5)
    c = t.client()
    c.allocate()
