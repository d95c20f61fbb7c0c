"""Debian's python3-aiortc."""
import os

import foreign
from harness import Skip, test

PROGRAM = os.path.join(foreign.HERE, "aiortc_call.py")
PYTHON = "/usr/bin/python3"


@test("aiortc: a data channel, relay to relay, over UDP, TCP and TLS, static and minted credentials", timeout=60,
      not_coturn=foreign.BOTH)
def aiortc(t):
    if not os.path.isdir("/usr/lib/python3/dist-packages/aiortc"):
        raise Skip("no python3-aiortc")
    cert = foreign.served(t)
    for transport in ("udp", "tcp", "tls"):  # its URLs have no place for an IPv6 address
        for credentials in (foreign.STATIC, foreign.ephemeral()):
            foreign.relayed(t, [PYTHON, PROGRAM], transport, credentials=credentials, env={"SSL_CERT_FILE": cert})
