package e2e

import (
	"os"
	"os/exec"
	"testing"
)

// python is Debian's own, for which the package python3-ncclient is made.
const python = "/usr/bin/python3"

const ncclientScript = `
import os
from ncclient import manager
from ncclient.operations.rpc import RPCError

with manager.connect(host="127.0.0.1", port=1830, username=os.environ["AGENT_USER"],
                     password=os.environ["AGENT_PASSWORD"], hostkey_verify=False,
                     allow_agent=False, look_for_keys=False, timeout=15) as m:
    for c in m.server_capabilities:
        print(c)
    with m.locked("candidate"):
        try:
            m.lock("candidate")
        except RPCError as e:
            print("locked twice:", e.tag)
        m.edit_config(target="candidate", config='<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">' + os.environ["EDIT"] + "</config>")
        m.validate(source="candidate")
        m.commit()
    print(m.get_config(source="running").xml)
`

// requireNcclient skips the test where ncclient is not installed, or fails it
// where the environment variable CI is "true".
func requireNcclient(t *testing.T) {
	t.Helper()
	if exec.Command(python, "-c", "import ncclient").Run() == nil {
		return
	}
	const reason = "needs ncclient: install the Debian package python3-ncclient"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
