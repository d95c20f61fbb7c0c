<?php
// Time-limited TURN credentials for PHP 7.4 and later, no package needed.
//
//   require 'mint.php';
//   echo json_encode(turn_ice_servers((string) $user->id), JSON_UNESCAPED_SLASHES);
//
// By hand: TURN_SECRET=... TURN_HOST=turn.example.org php mint.php alice 120
declare(strict_types=1);

// A call that has begun goes on when its credential has expired: what is short-lived cannot be shared.
const TURN_MIN_TTL_S = 60;
const TURN_MAX_TTL_S = 120;

function turn_credential(string $secret, string $userId, int $ttl = TURN_MAX_TTL_S, ?int $now = null): array
{
    if ($secret === '') {
        throw new InvalidArgumentException('TURN_SECRET is not set');
    }
    $ttl = min(max($ttl, TURN_MIN_TTL_S), TURN_MAX_TTL_S);
    $username = (($now ?? time()) + $ttl) . ':' . $userId;
    $mac = hash_hmac('sha1', $username, $secret, true);
    return ['username' => $username, 'credential' => base64_encode($mac), 'ttl' => $ttl];
}

/** The object for `new RTCPeerConnection(...)`. UDP first, TLS on 443 where nothing else gets through. */
function turn_ice_servers(string $userId, ?string $secret = null, ?string $host = null, int $ttl = TURN_MAX_TTL_S): array
{
    $host = $host ?? (string) getenv('TURN_HOST');
    $made = turn_credential($secret ?? (string) getenv('TURN_SECRET'), $userId, $ttl);
    return ['iceServers' => [[
        'urls' => [
            "turn:$host:3478?transport=udp",
            "turn:$host:3478?transport=tcp",
            "turns:$host:443?transport=tcp",
        ],
        'username' => $made['username'],
        'credential' => $made['credential'],
    ]]];
}

if (PHP_SAPI === 'cli' && realpath($argv[0]) === __FILE__) {
    echo json_encode(turn_ice_servers($argv[1] ?? 'guest', null, null, (int) ($argv[2] ?? TURN_MAX_TTL_S)),
        JSON_UNESCAPED_SLASHES), "\n";
}
