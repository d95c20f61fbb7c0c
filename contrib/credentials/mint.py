#!/usr/bin/env python3
"""Time-limited TURN credentials for Python 3, nothing to install.

    from mint import ice_servers
    return jsonify(ice_servers(current_user.id))

By hand: TURN_SECRET=... TURN_HOST=turn.example.org python3 mint.py alice 120
"""
import base64
import hashlib
import hmac
import json
import os
import sys
import time

# A call that has begun goes on when its credential has expired: what is short-lived cannot be shared.
MIN_TTL_S, MAX_TTL_S = 60, 120


def credential(secret, user_id, ttl=MAX_TTL_S, now=None):
    if not secret:
        raise ValueError('TURN_SECRET is not set')
    ttl = min(max(int(ttl), MIN_TTL_S), MAX_TTL_S)
    username = '%d:%s' % (int(time.time() if now is None else now) + ttl, user_id)
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {'username': username, 'credential': base64.b64encode(mac).decode(), 'ttl': ttl}


def ice_servers(user_id, secret=None, host=None, ttl=MAX_TTL_S):
    """The object for `new RTCPeerConnection(...)`. UDP first, TLS on 443 where nothing else gets through."""
    host = host or os.environ['TURN_HOST']
    made = credential(secret or os.environ.get('TURN_SECRET'), user_id, ttl)
    return {'iceServers': [{
        'urls': ['turn:%s:3478?transport=udp' % host, 'turn:%s:3478?transport=tcp' % host,
                 'turns:%s:443?transport=tcp' % host],
        'username': made['username'],
        'credential': made['credential'],
    }]}


if __name__ == '__main__':
    print(json.dumps(ice_servers(*sys.argv[1:2] or ['guest'], ttl=(sys.argv[2:3] or [MAX_TTL_S])[0])))
