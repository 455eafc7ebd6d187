package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// demoConfig is the configuration of the command's own example, on loopback:
// the agent dials the peer's port and accepts no connection.
func demoConfig(peerPort uint16) string {
	return fmt.Sprintf(`{
  "mooring-vpn-instance:vpn-instances": {"vpn-instance": [{
    "name": "vpn1", "config": {"name": "vpn1"},
    "ipv4-family": {"config": {"route-distinguisher": "100:1"}}
  }]},
  "mooring-bgp:bgp": {"instances": {"instance": [{
    "name": "default", "config": {"name": "default", "as": %d},
    "vpn-instances": {"vpn-instance": [{
      "name": "vpn1", "config": {"name": "vpn1", "listen-port": 0},
      "peers": {"peer": [{
        "address": %q, "config": {"address": %[2]q, "as": %d},
        "transport": {
          "config": {"remote-port": %d},
          "connect-interface": {"config": {"source-address": %q}}
        }
      }]}
    }]}
  }]}}
}`, demoLocalAS, demoPeer, demoRemoteAS, peerPort, demoSources[0])
}

// sourceXML is the configuration that changes the source over NETCONF.
func sourceXML(source string) string {
	return `<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><bgp xmlns="urn:mooring:yang:bgp"><instances><instance><name>default</name>` +
		`<vpn-instances><vpn-instance><name>vpn1</name><peers><peer><address>` + demoPeer + `</address>` +
		`<transport><connect-interface><config><source-address>` + source + `</source-address>` +
		`</config></connect-interface></transport></peer></peers></vpn-instance></vpn-instances>` +
		`</instance></instances></bgp></config>`
}

// netconfSession is what a NETCONF client sends that changes the source, in
// the framing of RFC 6242 4.3, so that ssh alone can play it.
func netconfSession(source string) string {
	const base, end = `xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"`, "\n]]>]]>\n"
	return `<hello ` + base + `><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>` + end +
		`<rpc message-id="1" ` + base + `><edit-config><target><running/></target>` + sourceXML(source) + `</edit-config></rpc>` + end +
		`<rpc message-id="2" ` + base + `><close-session/></rpc>` + end
}

var commandsText = template.Must(template.New("commands").Parse(`
The session is up. From another terminal, change its source and watch here.

gNMI with gnmic:

  GNMIC='gnmic -a {{.GNMI}} -u admin -p {{.Password}} --tls-ca {{.Dir}}/ca.crt -e json_ietf'
  PEER='{{.Peer}}'
  $GNMIC set --update-path "$PEER/transport/connect-interface/config/source-address" --update-value {{index .Sources 1}}
  $GNMIC set --delete "$PEER/transport/connect-interface"     # undo: the kernel chooses
  $GNMIC get --path "$PEER"
{{if .NETCONF}}
NETCONF with ssh (it asks for the password: {{.Password}}):

  ssh -p {{.NETCONFPort}} -o UserKnownHostsFile={{.Dir}}/known_hosts admin@{{.NETCONFHost}} -s netconf < {{.Dir}}/source.xml

NETCONF with Python (Debian: python3-ncclient):

/usr/bin/python3 - <<'EOF'
from ncclient import manager
with manager.connect(host="{{.NETCONFHost}}", port={{.NETCONFPort}}, username="admin", password="{{.Password}}",
                     hostkey_verify=False, look_for_keys=False, allow_agent=False) as m:
    print(m.edit_config(target="running", config='{{.XML}}'))
EOF
{{end}}
The peer knows the sources{{range .Sources}} {{.}}{{end}}. Like any GoBGP, it refuses
a source for 5 seconds after the session from there has ended.
Ctrl-C ends the demo and removes {{.Dir}}.

`))

// printCommands shows how to change the source, ready to be pasted.
func printCommands(out io.Writer, a *agent, dir string) error {
	data := struct {
		GNMI, NETCONF, NETCONFHost, NETCONFPort string
		Password, Dir, Peer, XML                string
		Sources                                 []string
	}{
		GNMI: a.address("gnmi"), NETCONF: a.address("netconf"),
		Password: a.secrets.password, Dir: dir, XML: sourceXML(demoSources[3]), Sources: demoSources,
		Peer: "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=" + demoPeer + "]",
	}
	if host, port, err := net.SplitHostPort(data.NETCONF); err == nil {
		data.NETCONFHost, data.NETCONFPort = host, port
		if err := writeSSHFiles(dir, data.NETCONF, a.secrets.hostKeys); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	} else {
		data.NETCONF = "" // a unix socket or off: ssh cannot get there
	}
	var b strings.Builder
	if err := commandsText.Execute(&b, data); err != nil {
		return err
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeSSHFiles writes what the ssh command needs.
func writeSSHFiles(dir, addr string, hostKeys []ssh.Signer) error {
	var known string
	for _, key := range hostKeys {
		known += knownhosts.Line([]string{knownhosts.Normalize(addr)}, key.PublicKey()) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(known), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "source.xml"), []byte(netconfSession(demoSources[2])), 0o600)
}
