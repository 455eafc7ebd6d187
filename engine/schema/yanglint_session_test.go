package schema

import "fmt"

// session writes the settings that a peer and a peer group share. family is
// "." or ":" for the addresses of a peer, empty for a group.
func (g *randomXML) session(family string) {
	g.in("transport", func() {
		g.in("config", func() {
			g.maybe("connect-mode", "both", "listen-only")
			g.maybe("tcp-mss", "176", "4096")
			gtsm := g.IntN(3) == 0
			if gtsm {
				g.leaf("valid-ttl-hops", "3")
			}
			switch {
			case !gtsm || g.bad():
				g.maybe("ebgp-max-hop", "1", "2", "255")
			default:
				g.maybe("ebgp-max-hop", "1")
			}
		})
		g.in("connect-interface", func() { g.in("config", func() { g.connectInterface(family) }) })
		g.in("authentication", func() { g.authentication() })
	})
	g.in("timers", func() {
		g.in("config", func() {
			hold := []int{-1, 0, 3, 90, 92}[g.IntN(5)]
			if hold >= 0 {
				g.leaf("hold-time", fmt.Sprint(hold))
			}
			switch {
			case g.bad():
				g.leaf("keepalive-interval", fmt.Sprint(hold/3+1+g.IntN(2)))
			case hold >= 3:
				g.maybe("keepalive-interval", "1", fmt.Sprint(hold/3))
			default:
				g.maybe("keepalive-interval", "60")
			}
		})
	})
	g.in("afi-safis", func() {
		for _, name := range []string{"ipv4-unicast", "vpnv6-unicast"}[:g.IntN(3)] {
			g.in("afi-safi", func() { g.keyed("name", name, func() { g.maybe("enabled", "true", "false") }) })
		}
	})
}

func (g *randomXML) connectInterface(family string) {
	switch g.IntN(4) {
	case 0:
		g.leaf("interface", "LoopBack1")
		if g.bad() {
			g.leaf("interface-number", "1")
		}
	case 1:
		g.leaf("interface-type", "LoopBack")
		if !g.bad() {
			g.leaf("interface-number", "1")
		}
	}
	source := map[string]string{".": "10.9.9.9", ":": "2001:db8:9::9", "": "10.9.9.9"}[family]
	if g.bad() {
		source = []string{"10.9.9.9", "2001:db8:9::9"}[g.IntN(2)]
	}
	g.maybe("source-address", source)
}

func (g *randomXML) authentication() {
	method := []string{"", "none", "md5", "tcp-ao"}[g.IntN(4)]
	g.in("config", func() {
		if method != "" {
			g.leaf("method", method)
		}
		if (method == "md5") != g.bad() {
			g.leaf("password", "secret")
		}
	})
	if (method == "tcp-ao") == g.bad() {
		return
	}
	g.in("keys", func() {
		n := 1 + g.IntN(3)
		if g.bad() {
			n = 17
		}
		for id := range n {
			g.in("key", func() {
				g.keyed("key-id", fmt.Sprint(id), func() {
					send, receive := id, id
					if g.bad() {
						send = 0
					}
					if g.bad() {
						receive = 0
					}
					if g.likely() {
						g.leaf("send-id", fmt.Sprint(send))
						g.leaf("receive-id", fmt.Sprint(receive))
					}
					if !g.bad() {
						g.leaf("secret", "s")
					}
				})
			})
		}
	})
}
