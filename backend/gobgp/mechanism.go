package gobgp

// mechanisms are what carries each setting where connections are handed over.
// "live" is on an open connection at once.
var mechanisms = map[string]string{
	"config/enabled":                                    "taken out of GoBGP, Cease 6/2",
	"config/as":                                         "My Autonomous System of the remote's OPEN is checked; Cease 6/3 on a change",
	"config/local-as":                                   "My Autonomous System and 4-octet AS capability of the OPEN",
	"router-id":                                         "BGP Identifier of the OPEN",
	"transport/config/connect-mode":                     "dials or not; accepts or answers with a RST; live",
	"transport/config/remote-port":                      "connect(2)",
	"transport/config/local-port":                       "bind(2), SO_REUSEADDR",
	"transport/config/ebgp-max-hop":                     "IP_TTL, IPV6_UNICAST_HOPS; live",
	"transport/config/valid-ttl-hops":                   "TTL 255, IP_MINTTL, IPV6_MINHOPCOUNT; live",
	"transport/config/tcp-mss":                          "TCP_MAXSEG before connect(2), and on a listening socket for the peers with that value",
	"transport/config/path-mtu-discovery":               "IP_MTU_DISCOVER, IPV6_MTU_DISCOVER; live",
	"transport/config/dscp":                             "IP_TOS, IPV6_TCLASS; live",
	"transport/connect-interface/config/source-address": "bind(2); connections to another address get a RST",
	"transport/authentication/config/method":            "TCP_MD5SIG_EXT before connect(2) and on the listening sockets; TCP_AO_ADD_KEY where the kernel has it",
	"transport/authentication/config/password":          "TCP_MD5SIG_EXT before connect(2) and on the listening sockets",
	"transport/authentication/keys":                     "TCP_AO_ADD_KEY before connect(2) and on the listening sockets",
	"timers/config/hold-time":                           "Hold Time of the OPEN",
	"timers/config/keepalive-interval":                  "KEEPALIVE timer of the next session",
	"timers/config/connect-retry":                       "upper bound of the pause between two attempts to connect",
	"graceful-restart/config/enabled":                   "Graceful Restart capability of the OPEN, with the N bit (RFC 8538)",
	"graceful-restart/config/restart-time":              "Restart Time of the Graceful Restart capability",
	"graceful-restart/config/stale-routes-time":         "",
	"graceful-restart/config/reset-mode":                "Cease 6/9 around the 6/6, where the N bit is negotiated",
	"afi-safis":                                         "Multiprotocol capabilities of the OPEN (RFC 4760)",
}

// byGoBGP is what carries all of them where GoBGP opens its connections.
const byGoBGP = "fields of GoBGP's peer"
