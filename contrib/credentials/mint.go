// Time-limited TURN credentials for Go, standard library only.
//
//	json.NewEncoder(w).Encode(ICEServers(secret, host, user.ID, 120))
//
// By hand: TURN_SECRET=... TURN_HOST=turn.example.org go run mint.go alice 120
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// A call that has begun goes on when its credential has expired: what is short-lived cannot be shared.
const minTTL, maxTTL = 60, 120

type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

func Credential(secret, userID string, ttl int, now time.Time) (username, password string) {
	if ttl < minTTL {
		ttl = minTTL
	} else if ttl > maxTTL {
		ttl = maxTTL
	}
	username = fmt.Sprintf("%d:%s", now.Unix()+int64(ttl), userID)
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ICEServers is the object for RTCPeerConnection: UDP first, TLS on 443 where nothing else gets through.
func ICEServers(secret, host, userID string, ttl int) map[string][]ICEServer {
	username, password := Credential(secret, userID, ttl, time.Now())
	urls := []string{"turn:" + host + ":3478?transport=udp", "turn:" + host + ":3478?transport=tcp",
		"turns:" + host + ":443?transport=tcp"}
	return map[string][]ICEServer{"iceServers": {{urls, username, password}}}
}

func main() {
	secret, host, user, ttl := os.Getenv("TURN_SECRET"), os.Getenv("TURN_HOST"), "guest", maxTTL
	if secret == "" {
		fmt.Fprintln(os.Stderr, "TURN_SECRET is not set")
		os.Exit(1)
	}
	if len(os.Args) == 3 {
		user = os.Args[1]
		ttl, _ = strconv.Atoi(os.Args[2])
	}
	json.NewEncoder(os.Stdout).Encode(ICEServers(secret, host, user, ttl))
}
