"""Configurations as people have them for coturn, taken over as they are: each starts, says once what it
leaves out, and relays with the credentials that its clients have."""
import os
import re

import lab
from harness import check, equal, minted, test

WHY = "is what they were written for"

RANGES4 = ["0.0.0.0-0.255.255.255", "100.64.0.0-100.127.255.255", "127.0.0.0-127.255.255.255",
           "169.254.0.0-169.254.255.255", "172.16.0.0-172.31.255.255", "192.0.0.0-192.0.0.255",
           "192.0.2.0-192.0.2.255", "192.88.99.0-192.88.99.255", "192.168.0.0-192.168.255.255",
           "198.18.0.0-198.19.255.255", "198.51.100.0-198.51.100.255", "203.0.113.0-203.0.113.255",
           "240.0.0.0-255.255.255.255"]
RANGES6 = ["::1", "64:ff9b::-64:ff9b::ffff:ffff", "::ffff:0.0.0.0-::ffff:255.255.255.255",
           "100::-100::ffff:ffff:ffff:ffff", "2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
           "2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           "fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
DENIED4 = ["denied-peer-ip=" + r for r in RANGES4]
DENIED = DENIED4 + ["denied-peer-ip=" + r for r in RANGES6]
TLS = ["cert=%(cert)s", "pkey=%(pkey)s"]
OLD_TLS = ["no-tlsv1", "no-tlsv1_1"]
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
          "DHE-RSA-AES128-GCM-SHA256")
SECRET = ["use-auth-secret", "static-auth-secret=north:of=the#wall"]

# name: (lines, options that are left out with a warning)
FILES = {
    "a conference server's package": (
        ["# do not modify this line", *SECRET, "keep-address-family", "realm=meet.example.org", *TLS,
         "no-multicast-peers", "no-cli", "no-loopback-peers", "no-tcp-relay", "no-tcp", "listening-port=3478",
         "tls-listening-port=5349", *OLD_TLS, "cipher-list=" + SUITES, "dh2066", *DENIED4],
        ["keep-address-family", "no-multicast-peers", "no-cli", "no-loopback-peers", *OLD_TLS, "dh2066"]),
    "a chat server's documentation": (
        [*SECRET, "realm=turn.example.org", "no-tcp-relay", "no-multicast-peers", *DENIED,
         "# so that client->TURN->TURN->client flows work", "allowed-peer-ip=" + lab.SRV,
         "user-quota=12 # 4 streams per video call, so 12 streams = 3 calls", "total-quota=1200", *TLS],
        ["no-multicast-peers", "user-quota"]),
    "a playbook for it": (
        [*SECRET, "realm=turn.example.org", "", "min-port=49152", "max-port=49172", "external-ip=" + lab.RELAY_PUB,
         "", "log-file=stdout", "pidfile=%(dir)s/turnserver.pid", "userdb=%(dir)s/turnserver.db", "", "no-cli",
         "", "no-tls", "no-dtls", "", "prod", "no-tcp-relay", "user-quota=12", "total-quota=1200",
         "no-multicast-peers", "no-rfc5780", "no-stun-backward-compatibility",
         "response-origin-only-with-rfc5780", *DENIED4],
        ["no-cli", "prod", "no-multicast-peers", "no-rfc5780", "no-stun-backward-compatibility",
         "response-origin-only-with-rfc5780", "external-ip"]),
    "a classroom's": (
        ["listening-port=3478", "tls-listening-port=443", "listening-ip=" + lab.SRV, "relay-ip=" + lab.RELAY,
         "external-ip=%s/%s" % (lab.RELAY_PUB, lab.RELAY), "min-port=32769", "max-port=65535", "verbose",
         "fingerprint", "lt-cred-mech", *SECRET, "realm=example.org", *TLS, 'cipher-list="%s"' % SUITES,
         "dh-file=/etc/turnserver/dhp.pem", "keep-address-family", "no-cli", *OLD_TLS, "simple-log",
         "no-stdout-log", "log-file=%(dir)s/turn.log", "proc-user=nobody", "proc-group=nogroup"],
        ["dh-file", "keep-address-family", "no-cli", *OLD_TLS, "simple-log", "no-stdout-log"]),
    "a file server's talk": (
        ["listening-port=3478", "fingerprint", "lt-cred-mech", *SECRET, "realm=cloud.example.org",
         "total-quota=100", "bps-capacity=0", "stale-nonce", "no-loopback-peers", "no-multicast-peers",
         'cipher-list="ECDH+AESGCM:DH+AESGCM:!ADH:!AECDH:!MD5"', "ec-curve-name=prime256v1"],
        ["no-loopback-peers", "no-multicast-peers", "ec-curve-name"]),
    "a distribution's module": (
        ["listening-port=3478", "tls-listening-port=5349", "alt-listening-port=3479",
         "alt-tls-listening-port=5350", "listening-ip=" + lab.SRV, "relay-ip=" + lab.RELAY, "min-port=49152",
         "max-port=65535", "lt-cred-mech", *SECRET, "realm=example.org", "no-dtls", *TLS, "no-cli",
         "cli-ip=127.0.0.1", "cli-port=5766", "cli-password=secret"],
        ["alt-listening-port", "alt-tls-listening-port", "no-cli", "cli-ip", "cli-port", "cli-password"]),
    "a distribution's sample, lines taken in": (
        ["listening-ip=0.0.0.0", "external-ip=" + lab.SRV, "relay-ip=" + lab.SRV, "fingerprint", "lt-cred-mech",
         "user=alice:wonderland", "user=hexa:0x%(hexa)s", "realm = example.org", "server-name=turn.example.org",
         "max-bps=640000", "bps-capacity=0", "stale-nonce=600", "mobility", "no-software-attribute",
         "web-admin", "web-admin-ip=127.0.0.1", "web-admin-port=8080", "no-sslv3", "syslog=0",
         "pidfile=\"%(dir)s/turnserver.pid\""],
        ["server-name", "mobility", "no-software-attribute", "web-admin", "web-admin-ip",
         "web-admin-port", "no-sslv3"]),
    "every address by wildcards": (
        ["listening-ip=0.0.0.0", "listening-ip=::", "relay-ip=" + lab.RELAY, "relay-ip=" + lab.RELAY6,
         "external-ip=%s/%s" % (lab.RELAY_PUB, lab.RELAY), "external-ip=%s/%s" % (lab.RELAY6_PUB, lab.RELAY6),
         "lt-cred-mech", "user=alice:wonderland", "realm=example.org", "prometheus"], []),
}

# words of a container's command line
COMMANDS = [
    ["-n", "--log-file=stdout", "--min-port=49160", "--max-port=49200", "--lt-cred-mech", "--fingerprint",
     "--no-multicast-peers", "--no-cli", "--no-tlsv1", "--no-tlsv1_1", "--realm=example.org",
     "--user=alice:wonderland", "--external-ip=" + lab.SRV],
    ["-n", "-a", "-v", "-f", "-L", lab.SRV, "-E", lab.RELAY, "-X", lab.RELAY_PUB + "/" + lab.RELAY, "-p", "3478",
     "-r", "example.org", "-u", "alice:wonderland", "-m", "2", "-q", "10", "-Q", "100", "-s", "1000000", "-l", "-"],
    ["-nvfa", "-L" + lab.SRV, "-rexample.org", "-ualice:wonderland", "-m0"],
    ["-c", "/dev/null", "--lt-cred", "--listening-i", lab.SRV, "--rea", "example.org", "--user", "alice:wonderland",
     "--stale-nonce=600", "--no-stdout", "--simple"],
]


def works(t, s, user, password, realm):
    t.until(lambda: not s.alive() or t.client().serving(), "an answer", timeout=10)
    check(s.alive(), "it ended: %s", s.log())
    c = t.client(user=user, password=password)
    c.allocate()
    equal(c.realm, realm, "realm")
    c.refresh(0)
    s.stop()


@test("files of coturn's: each starts, tells once of each option that it leaves out, and relays", timeout=90,
      not_coturn=WHY)
def files(t):
    t.net()
    os.chmod(t.dir, 0o777)  # one of them gives up root
    cert, pkey = t.certificate()
    name, password = minted("north:of=the#wall")
    for what, (lines, left_out) in FILES.items():
        print(what)
        s = t.bare_server()
        with open(s.path, "w") as f:
            f.write("\r\n".join(lines) % {"cert": cert, "pkey": pkey, "dir": t.dir, "hexa": "0" * 32} + "\n")
        s.spawn(["-c", s.path])
        realm = next(x.split("=")[1].strip() for x in lines if x.startswith("realm"))
        if SECRET[0] in lines:
            works(t, s, name, password, realm)
        else:
            works(t, s, "alice", "wonderland", realm)
        said = re.findall(r"warning: \S+:\d+: ([^:]+):", s.log())
        said = [x for x in said if x != "external-ip"] + ["external-ip"] * ("external-ip" in said)  # one an address
        equal(sorted(said), sorted(left_out), "warnings of " + what)


@test("command lines of coturn's, long, short, run together and cut short", timeout=60, not_coturn=WHY)
def command_lines(t):
    t.net()
    for words in COMMANDS:
        print(words)
        s = t.bare_server()
        s.spawn([*words, "--http-port=0"])
        works(t, s, "alice", "wonderland", "example.org")


@test("what cannot be honoured is refused by its name, with a reason", not_coturn=WHY)
def refused(t):
    t.net()
    for line, named in (("aux-server=1.2.3.4:80", "aux-server: .*listening-ip"),
                        ("listening-device=eth0", "listening-device: .*listening-ip"),
                        ("relay-device=eth0", "relay-device: .*relay-ip"),
                        ("server-relay", "server-relay: .*permissions"), ("oauth", "oauth: .*userdb"),
                        ("secure-stun", "secure-stun: .*credentials"), ("no-stun", "no-stun: .*Binding"),
                        ("mysql-userdb=host=db password=p4ss", "mysql-userdb: .*MySQL"),
                        ("multiplex-peer", "multiplex-peer: .*min-port"),
                        ("no-udp-relay\nno-tcp-relay", "no-udp-relay: .*nothing could be relayed"),
                        ("proc-user=no-such-user", "proc-user: .*no-such-user"),
                        ("cert=/no/such.pem\npkey=/no/such.key", "cert: /no/such.pem: No such file"),
                        ("relay-ip=10.99.99.99", "relay from 10.99.99.99: .*relay-ip"),
                        ("external-ip=1.2.3.4/10.99.99.99", "relay from 10.99.99.99: .*external-ip")):
        s = t.bare_server()
        with open(s.path, "w") as f:
            f.write("lt-cred-mech\nuser=alice:wonderland\nrealm=example.org\nlistening-ip=%s\n%s\n" % (lab.SRV, line))
        s.spawn(["-c", s.path])
        equal(s.wait(5 * t.scale), 1, "exit status of " + line)
        check(re.search(named, s.log()), "%s: it says %s", line, s.log())
        check("p4ss" not in s.log(), "the log holds a password")
