package frr

// mechanisms are the commands of bgpd that carry each setting.
var mechanisms = map[string]string{
	"config/enabled":                                    "`shutdown message`",
	"config/as":                                         "`remote-as`",
	"config/local-as":                                   "`local-as N no-prepend replace-as`",
	"router-id":                                         "`bgp router-id`, in a block made anew",
	"transport/config/connect-mode":                     "`passive`",
	"transport/config/remote-port":                      "`port`",
	"transport/config/ebgp-max-hop":                     "`ebgp-multihop`",
	"transport/config/valid-ttl-hops":                   "`ttl-security hops`",
	"transport/config/tcp-mss":                          "`tcp-mss`, then the session is ended",
	"transport/config/dscp":                             "`bgp session-dscp`, which is compared",
	"transport/connect-interface/config/source-address": "`update-source`, always an address",
	"transport/authentication/config/method":            "`password`",
	"transport/authentication/config/password":          "`password`",
	"timers/config/hold-time":                           "`timers`, then the session is ended",
	"timers/config/keepalive-interval":                  "`timers`",
	"timers/config/connect-retry":                       "`timers connect`",
	"graceful-restart/config/enabled":                   "`graceful-restart`, `graceful-restart-disable`, then the session is ended",
	"graceful-restart/config/restart-time":              "`bgp graceful-restart restart-time`, then the session is ended",
	"graceful-restart/config/stale-routes-time":         "`bgp graceful-restart stalepath-time`",
	"graceful-restart/config/reset-mode":                "`clear bgp` before the change, which bgpd sends as 6/9",
	"afi-safis":                                         "`activate` in the `address-family`",
}
