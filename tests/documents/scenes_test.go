package documents

import "regexp"

// serve starts an agent as the pages take it: the user admin has the password
// PASSWORD, the peer of examples/vpn1.json is established from 10.1.1.1.
const serve = `
ip link property add dev lo altname LoopBack1
ip address add 10.9.9.1/32 dev lo
MOORING_ADMIN_PASSWORD=PASSWORD setsid agent serve --state-dir /var/lib/mooring ${FLAGS:-} >/mnt/agent.log 2>&1 &
GNMIC='gnmic -a 127.0.0.1:9339 -u admin -p PASSWORD --tls-ca /var/lib/mooring/ca.crt -e json_ietf'
PEER='/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=10.1.1.2]'
until $GNMIC get --path /agent/state/version; do sleep 0.1; done >/dev/null 2>&1
$GNMIC set --update-path / --update-file examples/vpn1.json
$GNMIC set --delete "$PEER/transport/connect-interface/config/interface" \
  --update-path "$PEER/transport/connect-interface/config/source-address" --update-value 10.1.1.1
until $GNMIC --format flat get --path "$PEER/state/session-state" | grep -q ': established'; do sleep 0.1; done
`

const established = `until $GNMIC --format flat get --path "$PEER/state/session-state" | grep -q ': established'; do sleep 0.1; done`

// past makes a history of 45 commits, and waits until the state of 10 seconds
// ago is that of this agent.
const past = `
for i in $(seq 45); do $GNMIC set --update-path "$PEER/config/description" --update-value "commit $i"; done >/dev/null
sleep 10
`

// demo runs the agent of make run, and tells the words that it would print.
const demo = `
mkdir -p bin
cp "$(command -v agent)" bin/agent
setsid agent demo --gnmi 127.0.0.1:9339 --netconf 127.0.0.1:1830 >/mnt/demo.log 2>&1 &
until grep -q 'Ctrl-C ends' /mnt/demo.log; do sleep 0.1; done
sed -nE "s/.* -p ([^ ]+) --tls-ca ([^ ]+)\/ca.crt.*/PASSWORD=\1\nDIR=\2/p" /mnt/demo.log >"$MACHINE/words"
`

// scenes are by page.
var scenes = map[string]scene{
	"README.md":          {before: demo},
	"docs/gnmi.md":       {before: serve + past},
	"docs/guide.md":      {before: serve + past},
	"docs/nacm.md":       {before: serve + "export PASSWORD=PASSWORD\n"},
	"docs/netconf.md":    {before: "mkdir -p /var/lib/files; FLAGS='--netconf-startup --netconf-url-dir /var/lib/files'\nHOST=127.0.0.1 PORT=1830 PASSWORD=PASSWORD\n" + serve + past, python: connected},
	"docs/openconfig.md": {before: serve},
	"docs/operations.md": {before: "mkdir -p bin; cp $(command -v agent) bin/agent\n" + serve},
}

// connected is what the parts of programs in a page of NETCONF stand in.
const connected = `
from ncclient import manager
from ncclient.xml_ import to_ele
CONFIG = """<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name>
  <vpn-instances><vpn-instance><name>vpn1</name><peers><peer><address>10.1.1.2</address><config><description>a change</description></config></peer></peers>
  </vpn-instance></vpn-instances></instance></instances></bgp></config>"""
BGP = "urn:mooring:yang:bgp"
m = manager.connect(host="127.0.0.1", port=1830, username="admin", password="PASSWORD", hostkey_verify=False, look_for_keys=False, allow_agent=False)
`

// first is what is done in the machine before a block, where the page has the
// reader do it in words.
var first = map[string]string{
	"docs/netconf.md: import os":                                      `$GNMIC set --update-path "$PEER/transport/connect-interface/config/source-address" --update-value 10.1.1.9`,
	`docs/gnmi.md: $GNMIC set --update-path operations:/reset-peer \`: established,
	"docs/gnmi.md: $GNMIC set --update-path operations:/reset-peer --update-value '{\"instance\":\"default\",\"vpn-instance\":\"vpn1\",\"address\":\"10.1.1.2\"}' \\": established,
	"README.md: make build": "kill $(pgrep -x agent); export MOORING_ADMIN_PASSWORD=$(sed -n s/PASSWORD=//p $MACHINE/words)\n",
	"README.md: sudo cat /var/lib/mooring/ca.crt > ca.crt": `setsid agent serve --state-dir /var/lib/mooring >/mnt/agent.log 2>&1 &
		until gnmic -a 127.0.0.1:9339 -u admin -p $MOORING_ADMIN_PASSWORD --tls-ca /var/lib/mooring/ca.crt get --path /agent/state/version; do sleep 0.1; done >/dev/null 2>&1`,
}

// endless are the blocks that run until the reader ends them, with what they
// print when they do what they are for.
var endless = map[string]*regexp.Regexp{
	"README.md: make build": regexp.MustCompile(`listening protocol=netconf`),
	`README.md: $GNMIC sub --path "$PEER/state" --stream-mode on-change`:     regexp.MustCompile(`session-state`),
	`docs/guide.md: $GNMIC sub --path "$PEER/state" --stream-mode on-change`: regexp.MustCompile(`session-state`),
}

// notRun are the blocks that no machine of this test can run, with the reason.
var notRun = map[string]string{
	"README.md: make run": "the scene of the page is the demo that it starts, and TestDemo runs what that prints",
	"docs/guide.md: ssh -p 1830 admin@127.0.0.1 -s netconf":                                 "ssh asks for the password at a terminal; TestDemo plays such a session",
	"docs/operations.md: sudo -u mooring agent backup /var/backups/mooring-$(date +%F).tar": "a user of the installed service",
	"docs/operations.md: systemctl daemon-reload":                                           "systemd",
	"docs/operations.md: journalctl -u mooring | grep -A 4 'First start'":                   "systemd",
	"docs/operations.md: systemctl stop mooring":                                            "systemd",
	"docs/operations.md: agent-new check-config /etc/mooring/agent.yaml":                    "another version of the agent, and systemd",
	"docs/operations.md: grpcurl -cacert ca.crt -H 'username: monitor' -H 'password: PASSWORD' -d '{\"service\": \"gnmi.gNMI\"}' router1:9339 grpc.health.v1.Health/Check":   "grpcurl is not in Debian; TestAuthentication in server/gnmi asks the service",
	"docs/netconf.md: agent serve --call-home '[{name: nms, endpoints: [{address: 192.0.2.10}, {address: 192.0.2.11, transport: tls}]}]' --tls-client-ca ca.crt":             "it calls machines of others; TestCallHomeStrategy in server/netconf",
	`docs/netconf.md: m = manager.call_home(host="0.0.0.0", port=4334, username="admin", password="PASSWORD", hostkey_verify=False, allow_agent=False, look_for_keys=False)`: "it waits for a call; the tests of call home in server/netconf have ncclient wait for one",
	`docs/netconf.md: curl -u admin:admin -X PUT -H 'Content-Type: application/json' \`:                                                                                      "OpenDaylight is not in Debian",
	"docs/gnmi.md: $GNMIC set --commit-id 7 --commit-cancel            # roll the commit back now":                                                                           "one of three, and the id is that of a guard that waits; TestGuardEnds in server/gnmi",
	"docs/frr.md: apt-get install -y frr":                                                 "systemd, and packages of the network",
	`docs/frr.md: sed -i 's/^zebra_options="/&-n /' /etc/frr/daemons`:                     "systemd",
	"docs/frr.md: usermod -aG frrvty mooring":                                             "a user of the installed service",
	"docs/frr.md: su -s /bin/sh mooring -c 'vtysh -d bgpd -c \"show version\"' | head -1": "a user of the installed service, and a bgpd that systemd started",
	"docs/frr.md: vtysh -d bgpd -c 'show running-config' | grep mooring":                  "a bgpd that systemd started",
	"docs/netconf.md: # An authority, and a certificate of it for the client ann.":        "TestGuideForTLS in cmd/agent runs it",
	`docs/netconf.md: NC='xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"'`:               "TestGuideForTLS in cmd/agent runs it",
}
