// Time-limited TURN credentials in Swift: for a backend (Vapor, Hummingbird) with swift-crypto, and the
// RTCIceServer that an iOS app makes of them. The secret stays on the backend: an app that carries it gives
// it to everybody who can unpack the app.
import Foundation
#if canImport(CryptoKit)
import CryptoKit
#else
import Crypto
#endif

/// What the backend answers and the app decodes.
struct TurnCredential: Codable {
    let urls: [String]
    let username: String
    let credential: String
}

enum TurnMint {
    /// A call that has begun goes on when its credential has expired: what is short-lived cannot be shared.
    static let ttlRange = 60...120

    /// Backend: UDP first, TLS on 443 where nothing else gets through.
    static func credential(secret: String, host: String, userID: String, ttl: Int = 120,
                           now: Date = Date()) -> TurnCredential {
        let seconds = min(max(ttl, ttlRange.lowerBound), ttlRange.upperBound)
        let username = "\(Int(now.timeIntervalSince1970) + seconds):\(userID)"
        let mac = HMAC<Insecure.SHA1>.authenticationCode(for: Data(username.utf8),
                                                         using: SymmetricKey(data: Data(secret.utf8)))
        return TurnCredential(urls: ["turn:\(host):3478?transport=udp", "turn:\(host):3478?transport=tcp",
                                     "turns:\(host):443?transport=tcp"],
                              username: username, credential: Data(mac).base64EncodedString())
    }
}

#if canImport(WebRTC)
import WebRTC

extension TurnCredential {
    /// App: fetch just before the call, for the credential lives two minutes at most.
    ///     let (data, _) = try await URLSession.shared.data(for: signedInRequest)
    ///     config.iceServers = [try JSONDecoder().decode(TurnCredential.self, from: data).iceServer]
    var iceServer: RTCIceServer {
        RTCIceServer(urlStrings: urls, username: username, credential: credential)
    }
}
#endif
