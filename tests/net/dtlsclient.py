"""DTLS 1.2 for the tests' TURN client, by way of OpenSSL's libssl; and hellos written by hand, for
what no library would send.
"""
import ctypes
import ctypes.util
import os
import select
import socket
import struct
import time

from turnclient import Client

_ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
_P = ctypes.c_void_p
for _lib, _name, _result, _args in (
        (_ssl, "DTLS_client_method", _P, []), (_ssl, "SSL_CTX_new", _P, [_P]), (_ssl, "SSL_CTX_free", None, [_P]),
        (_ssl, "SSL_new", _P, [_P]), (_ssl, "SSL_free", None, [_P]), (_ssl, "SSL_set_bio", None, [_P, _P, _P]),
        (_ssl, "SSL_connect", ctypes.c_int, [_P]), (_ssl, "SSL_shutdown", ctypes.c_int, [_P]),
        (_ssl, "SSL_read", ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int]),
        (_ssl, "SSL_write", ctypes.c_int, [_P, ctypes.c_char_p, ctypes.c_int]),
        (_ssl, "SSL_get_error", ctypes.c_int, [_P, ctypes.c_int]),
        (_ssl, "SSL_ctrl", ctypes.c_long, [_P, ctypes.c_int, ctypes.c_long, _P]),
        (_crypto, "BIO_new_dgram", _P, [ctypes.c_int, ctypes.c_int]),
        (_crypto, "BIO_ctrl", ctypes.c_long, [_P, ctypes.c_int, ctypes.c_long, _P]),
        (_crypto, "BIO_ADDR_new", _P, []), (_crypto, "BIO_ADDR_free", None, [_P]),
        (_crypto, "BIO_ADDR_rawmake", ctypes.c_int, [_P, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t,
                                                     ctypes.c_ushort]),
        (_crypto, "ERR_clear_error", None, [])):
    getattr(_lib, _name).restype, getattr(_lib, _name).argtypes = _result, _args

WANT_READ, WANT_WRITE, ZERO_RETURN = 2, 3, 6
SET_CONNECTED, HANDLE_TIMEOUT = 32, 74


class Closed(Exception):
    """The far end said goodbye."""


class Association:
    """A connected UDP socket under DTLS, with what Client wants of a socket."""

    def __init__(self, sock, timeout):
        self.sock = sock
        sock.setblocking(False)
        self.ctx = _ssl.SSL_CTX_new(_ssl.DTLS_client_method())
        self.ssl = _ssl.SSL_new(self.ctx)
        bio = _crypto.BIO_new_dgram(sock.fileno(), 0)
        peer = sock.getpeername()
        packed = socket.inet_pton(sock.family, peer[0])
        addr = _crypto.BIO_ADDR_new()
        _crypto.BIO_ADDR_rawmake(addr, int(sock.family), packed, len(packed), struct.unpack("=H", struct.pack(
            "!H", peer[1]))[0])
        _crypto.BIO_ctrl(bio, SET_CONNECTED, 0, addr)
        _crypto.BIO_ADDR_free(addr)
        _ssl.SSL_set_bio(self.ssl, bio, bio)
        self._connect(time.monotonic() + timeout)

    def _connect(self, deadline):
        while True:
            _crypto.ERR_clear_error()
            ret = _ssl.SSL_connect(self.ssl)
            if ret == 1:
                return
            error = _ssl.SSL_get_error(self.ssl, ret)
            if error not in (WANT_READ, WANT_WRITE) or time.monotonic() > deadline:
                raise ConnectionError("the DTLS handshake fails: %d" % error)
            if not select.select([self.sock], [], [], 0.2)[0]:
                _ssl.SSL_ctrl(self.ssl, HANDLE_TIMEOUT, 0, None)

    def fileno(self):
        return self.sock.fileno()

    def setblocking(self, on):
        pass

    def send(self, raw):
        _crypto.ERR_clear_error()
        if _ssl.SSL_write(self.ssl, raw, len(raw)) != len(raw):
            raise ConnectionError("SSL_write")

    def recv(self, size):
        """A record, or None."""
        buf = ctypes.create_string_buffer(size)
        _crypto.ERR_clear_error()
        n = _ssl.SSL_read(self.ssl, buf, size)
        if n > 0:
            return buf.raw[:n]
        error = _ssl.SSL_get_error(self.ssl, n)
        if error == ZERO_RETURN:
            raise Closed()
        if error not in (WANT_READ, WANT_WRITE):
            raise ConnectionError("SSL_read: %d" % error)
        return None

    def goodbye(self):
        _ssl.SSL_shutdown(self.ssl)

    def close(self):
        _ssl.SSL_free(self.ssl)
        _ssl.SSL_CTX_free(self.ctx)
        self.sock.close()


class DtlsClient(Client):
    """The same client; `raw` is the socket below."""

    def __init__(self, sock, user, password, scale=1.0):
        self.raw = sock
        super().__init__(Association(sock, 10 * scale), user, password, scale)

    def recv_raw(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            got = self.sock.recv(65536)
            if got is not None:
                return got
            if not self.poll.poll(max(0, deadline - time.monotonic()) * 1000):
                return None

    def closed(self, timeout):
        """True when the server says goodbye in time."""
        try:
            while self.recv_raw(timeout) is not None:
                pass
        except Closed:
            return True
        return False


# --- by hand

_EXTENSIONS = bytes.fromhex("000a00040002001700" "0b00020100" "000d0006000404030401")


def hello(random=None, cookie=b""):
    """A ClientHello for ECDHE with AES-GCM; the second one, with a cookie."""
    body = b"\xfe\xfd" + (random or os.urandom(32)) + b"\0" + bytes([len(cookie)]) + cookie + \
        bytes.fromhex("0004c02bc02f0100") + struct.pack("!H", len(_EXTENSIONS)) + _EXTENSIONS
    seq = 1 if cookie else 0
    message = b"\x01" + struct.pack("!I", len(body))[1:] + struct.pack("!H", seq) + b"\0\0\0" + \
        struct.pack("!I", len(body))[1:] + body
    return b"\x16\xfe\xff\0\0" + struct.pack("!Q", seq)[2:] + struct.pack("!H", len(message)) + message


def cookie_of(raw):
    """The cookie of a HelloVerifyRequest, or None."""
    if len(raw) < 28 or raw[0] != 22 or raw[13] != 3:
        return None
    return raw[28:28 + raw[27]]
