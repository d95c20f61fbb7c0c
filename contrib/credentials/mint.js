// Time-limited TURN credentials for Node.js 16 and later, nothing to install.
//
//   const { iceServers } = require('./mint.js')
//   app.get('/ice', signedIn, (req, res) => res.json(iceServers(req.user.id)))
//
// By hand: TURN_SECRET=... TURN_HOST=turn.example.org node mint.js alice 120
'use strict'
const { createHmac } = require('crypto')

// A call that has begun goes on when its credential has expired: what is short-lived cannot be shared.
const MIN_TTL_S = 60
const MAX_TTL_S = 120

function credential (secret, userId, ttl, nowMs = Date.now()) {
  if (!secret) throw new Error('TURN_SECRET is not set')
  const seconds = Math.min(Math.max(Math.trunc(Number(ttl)) || 0, MIN_TTL_S), MAX_TTL_S)
  const username = `${Math.floor(nowMs / 1000) + seconds}:${userId}`
  const password = createHmac('sha1', secret).update(username, 'utf8').digest('base64')
  return { username, credential: password, ttl: seconds }
}

// The object for `new RTCPeerConnection(...)`. UDP first, TLS on 443 where nothing else gets through.
function iceServers (userId, { secret = process.env.TURN_SECRET, host = process.env.TURN_HOST, ttl = MAX_TTL_S } = {}) {
  const { username, credential: password } = credential(secret, userId, ttl)
  const urls = [`turn:${host}:3478?transport=udp`, `turn:${host}:3478?transport=tcp`, `turns:${host}:443?transport=tcp`]
  return { iceServers: [{ urls, username, credential: password }] }
}

module.exports = { credential, iceServers }

if (require.main === module) {
  const [user = 'guest', ttl = MAX_TTL_S] = process.argv.slice(2)
  console.log(JSON.stringify(iceServers(user, { ttl })))
}
