"""What TLS clients negotiate, and whom the server turns away: openssl s_client."""
import re

import lab
from harness import check, equal, test
from test_stream import ended, served

REFUSED = r"alert protocol version|no protocols available|alert handshake failure"


def shake(t, *options, server=lab.SRV, port=5349):
    """One handshake; s_client ends at once, for it is given nothing to say. Returns (status, output)."""
    return t.run(t.lab.cli, "openssl", "s_client", "-connect",
                 "%s:%d" % ("[%s]" % server if ":" in server else server, port),
                 "-CAfile", t.certificate()[0], "-verify_return_error", *options)


def shaken(t, *options, version, alpn=None, **kw):
    status, out = shake(t, *options, **kw)
    equal(status, 0, "exit status of openssl s_client")
    equal(re.findall(r"^New, (TLSv[\d.]+), Cipher is", out, re.M), [version], "version")
    check("Verify return code: 0 (ok)" in out, "the certificate does not verify")
    equal(re.findall(r"^ALPN protocol: (.*)$", out, re.M), [alpn] if alpn else [], "ALPN")
    return out


def turned_away(t, *options, **kw):
    status, out = shake(t, *options, **kw)
    check(status != 0, "s_client is satisfied")
    check(re.search(REFUSED, out), "no alert about it:\n%s", out)


# what openssl itself would not offer any more
OLD = ("-cipher", "DEFAULT@SECLEVEL=0")


@test("TLS 1.2 and 1.3 with ALPN stun.turn and stun.nat-discovery; TLS 1.0 and 1.1 are refused", timeout=40,
      not_coturn="answers no ALPN")
def versions_and_alpn(t):
    s = served(t, verbose=True)
    for server in (lab.SRV, lab.SRV6):
        for version in ("1.2", "1.3"):
            option = "-tls" + version.replace(".", "_")
            shaken(t, option, "-alpn", "stun.turn", version="TLSv" + version, alpn="stun.turn", server=server)
    shaken(t, "-alpn", "stun.nat-discovery", version="TLSv1.3", alpn="stun.nat-discovery")
    shaken(t, "-alpn", "h2,stun.turn,http/1.1", version="TLSv1.3", alpn="stun.turn")
    # a library that always says the same is served all the same
    shaken(t, "-alpn", "http/1.1", version="TLSv1.3")
    shaken(t, "-tls1_2", version="TLSv1.2", port=3478)
    for option in ("-tls1", "-tls1_1"):
        for port in (5349, 3478):
            turned_away(t, option, *OLD, port=port)
    s.wait_log(r"conn_end client=\S+ transport=tls reason=tls_failed", 2)
    t.stream(tls=True).allocate()


@test("tls-min-version=1.3 and no-tlsv1_2 refuse TLS 1.2", not_coturn="has no tls-min-version")
def least_version(t):
    for conf in ({"tls_min_version": "1.3"}, {"args": ["--no-tlsv1_2"]}):
        s = served(t, **conf)
        shaken(t, version="TLSv1.3")
        turned_away(t, "-tls1_2")
        s.stop()


@test("cipher-list: what it names is spoken, what it does not is refused, for TLS 1.2 and 1.3",
      not_coturn="keeps the suites of TLS 1.3 that it is not told")
def ciphers(t):
    served(t, cipher_list="ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256")
    out = shaken(t, "-tls1_2", version="TLSv1.2")
    check("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in out, "another cipher")
    out = shaken(t, version="TLSv1.3")
    check("Cipher is TLS_AES_128_GCM_SHA256" in out, "another suite")
    turned_away(t, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    turned_away(t, "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")


@test("CA-file: a client with a certificate that it has signed is served, others are not",
      not_coturn="logs it otherwise")
def client_certificates(t):
    authority = t.certificate("authority", names="DNS:authority")
    mine, stranger = t.certificate("mine", authority), t.certificate("stranger")
    s = served(t, CA_file=authority[0], verbose=True)

    def client(pair):
        context = t.trusting()
        if pair:
            context.load_cert_chain(*pair)
        return t.stream(tls=True, context=context)

    c, peer = client(mine), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    c.send_channel(0x4000, b"known")
    equal(peer.recv(100), b"known", "what the peer got")
    for pair in (None, stranger):
        c = client(pair)  # TLS 1.3: the client is through before the server has looked
        equal(c.await_end(), [], "what is said to a client without a certificate")
        s.wait_log(ended(c, "conn_end", "tls_failed"), 2)
    t.stream().allocate()  # plain TURN is not asked for one


@test("an ECDSA and an RSA certificate at once: each client gets the one that it can use",
      not_coturn="has one certificate")
def two_kinds(t):
    pairs = [t.certificate(), t.certificate("rsa", kind="RSA")]
    served(t, cert=[p[0] for p in pairs], pkey=[p[1] for p in pairs])
    for cipher, kind in (("ECDHE-ECDSA-AES128-GCM-SHA256", "CN = server"), ("ECDHE-RSA-AES128-GCM-SHA256", "CN = rsa")):
        status, out = shake(t, "-tls1_2", "-cipher", cipher, "-CAfile", pairs[kind == "CN = rsa"][0])
        equal(status, 0, "exit status of openssl s_client")
        check("subject=" + kind in out, "another certificate than %s:\n%s", kind, out)
