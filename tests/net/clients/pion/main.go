// pion as a client of the relay. Two peer connections that may use relayed candidates only, the
// signalling between them in this process: messages there and back over a data channel, and one line
// of JSON about it. With "layer": "turn" it is pion's TURN client alone, for pion's ICE agent asks
// over IPv4 only. Argument: JSON with url, host, transport, username, credential, messages.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/turn/v2"
	"github.com/pion/webrtc/v3"
)

type options struct {
	Layer, Url, Host, Transport, Username, Credential string
	Messages                                          int
}

type end struct {
	Type string `json:"type"`
	Ip   string `json:"ip"`
}

type result struct {
	Received   int      `json:"received"`
	InOrder    bool     `json:"in_order"`
	Candidates []string `json:"candidates"`
	Pairs      [][2]end `json:"pairs"`
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func text(n int) string {
	return fmt.Sprintf("message %d ", n) + strings.Repeat("x", n*7%1000)
}

// --- peer connections

func gathered(pc *webrtc.PeerConnection, sd webrtc.SessionDescription) webrtc.SessionDescription {
	done := webrtc.GatheringCompletePromise(pc)
	must(pc.SetLocalDescription(sd))
	<-done
	return *pc.LocalDescription()
}

func pairOf(pc *webrtc.PeerConnection) [2]end {
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	must(err)
	return [2]end{{pair.Local.Typ.String(), pair.Local.Address}, {pair.Remote.Typ.String(), pair.Remote.Address}}
}

func connection(o options, r *result) *webrtc.PeerConnection {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{
		ICEServers: []webrtc.ICEServer{{URLs: []string{o.Url}, Username: o.Username, Credential: o.Credential,
			CredentialType: webrtc.ICECredentialTypePassword}},
		ICETransportPolicy: webrtc.ICETransportPolicyRelay,
	})
	must(err)
	return pc
}

func call(o options) result {
	r := result{InOrder: true}
	a, b := connection(o, &r), connection(o, &r)
	b.OnDataChannel(func(c *webrtc.DataChannel) {
		c.OnMessage(func(m webrtc.DataChannelMessage) { must(c.Send(m.Data)) })
	})
	channel, err := a.CreateDataChannel("test", nil)
	must(err)
	echoed := make(chan bool)
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		r.InOrder = r.InOrder && string(m.Data) == text(r.Received)
		if r.Received++; r.Received == o.Messages {
			close(echoed)
		}
	})
	channel.OnOpen(func() {
		for n := 0; n < o.Messages; n++ {
			must(channel.Send([]byte(text(n))))
		}
	})
	offer, err := a.CreateOffer(nil)
	must(err)
	must(b.SetRemoteDescription(gathered(a, offer)))
	answer, err := b.CreateAnswer(nil)
	must(err)
	must(a.SetRemoteDescription(gathered(b, answer)))
	for _, pc := range []*webrtc.PeerConnection{a, b} {
		for _, line := range strings.Split(pc.LocalDescription().SDP, "\r\n") {
			if _, after, found := strings.Cut(line, " typ "); found {
				r.Candidates = append(r.Candidates, strings.Fields(after)[0])
			}
		}
	}
	<-echoed
	r.Pairs = [][2]end{pairOf(a), pairOf(b)}
	must(a.Close())
	must(b.Close())
	return r
}

// --- the TURN client alone

// pion's client resolves the address of its server over IPv4 only, so it is told this one; the
// connections that it is given know better.
const server = "192.0.2.1:3478"

// A connection as pion's client wants it. What a stream carries is cut into messages by pion.
type connected struct {
	net.Conn
	cut *turn.STUNConn
	at  net.Addr
}

func (c *connected) ReadFrom(p []byte) (n int, from net.Addr, err error) {
	if c.cut != nil {
		n, _, err = c.cut.ReadFrom(p)
	} else {
		n, err = c.Read(p)
	}
	return n, c.at, err
}

func (c *connected) WriteTo(p []byte, _ net.Addr) (int, error) {
	return c.Write(p)
}

func dial(o options) *connected {
	plain, secure := net.JoinHostPort(o.Host, "3478"), net.JoinHostPort(o.Host, "5349")
	at, err := net.ResolveUDPAddr("udp", server)
	must(err)
	c := &connected{at: at}
	switch o.Transport {
	case "udp", "tcp":
		c.Conn, err = net.Dial(o.Transport, plain)
	case "tls":
		c.Conn, err = tls.Dial("tcp", secure, &tls.Config{})
	case "dtls":
		var to *net.UDPAddr
		to, err = net.ResolveUDPAddr("udp", secure)
		must(err)
		c.Conn, err = dtls.Dial("udp", to, &dtls.Config{ServerName: o.Host})
	}
	must(err)
	if o.Transport == "tcp" || o.Transport == "tls" {
		c.cut = turn.NewSTUNConn(c.Conn)
	}
	return c
}

func allocated(o options) (*turn.Client, net.PacketConn) {
	c, err := turn.NewClient(&turn.ClientConfig{Conn: dial(o), STUNServerAddr: server, TURNServerAddr: server,
		Username: o.Username, Password: o.Credential})
	must(err)
	must(c.Listen())
	relay, err := c.Allocate()
	must(err)
	return c, relay
}

func ip(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	must(err)
	return host
}

// One message and its echo at a time, for what goes as indications and what goes over the channel that
// pion binds meanwhile may overtake each other.
func turnClients(o options) result {
	r := result{InOrder: true, Candidates: []string{"relay"}}
	clientA, a := allocated(o)
	clientB, b := allocated(o)
	must(clientA.CreatePermission(b.LocalAddr()))
	must(clientB.CreatePermission(a.LocalAddr()))
	go func() {
		buffer := make([]byte, 2000)
		for {
			n, from, err := b.ReadFrom(buffer)
			if err != nil {
				return
			}
			if _, err = b.WriteTo(buffer[:n], from); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 2000)
	for ; r.Received < o.Messages; r.Received++ {
		_, err := a.WriteTo([]byte(text(r.Received)), b.LocalAddr())
		must(err)
		must(a.SetReadDeadline(time.Now().Add(10 * time.Second)))
		n, from, err := a.ReadFrom(buffer)
		must(err)
		r.InOrder = r.InOrder && string(buffer[:n]) == text(r.Received) && from.String() == b.LocalAddr().String()
	}
	ends := [2]end{{"relay", ip(a.LocalAddr())}, {"relay", ip(b.LocalAddr())}}
	r.Pairs = [][2]end{ends, {ends[1], ends[0]}}
	must(a.Close())
	must(b.Close())
	clientA.Close()
	clientB.Close()
	return r
}

func main() {
	var o options
	must(json.Unmarshal([]byte(os.Args[1]), &o))
	run := call
	if o.Layer == "turn" {
		run = turnClients
	}
	out, err := json.Marshal(run(o))
	must(err)
	fmt.Println("RESULT " + string(out))
}
