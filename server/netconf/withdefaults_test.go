package netconf

import (
	"strings"
	"testing"
)

const withDefaultsNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"

func withDefaults(mode string) string {
	return `<with-defaults xmlns="` + withDefaultsNS + `">` + mode + "</with-defaults>"
}

// resetPolicy is an instance with a leaf that has a default, minimal.
func resetPolicy(name, leaf string) string {
	return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>` + name + `</name><config xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0"><as>1</as>` + leaf +
		"</config></instance></instances></bgp>"
}

// policy is the reset-policy of an instance as a mode tells it.
func (c *client) policy(op, name, mode string) string {
	c.Helper()
	params := `<filter><bgp xmlns="` + bgpNS + `"><instances><instance><name>` + name + "</name><config><reset-policy/></config></instance></instances></bgp></filter>"
	if mode != "" {
		params += withDefaults(mode)
	}
	_, got, _ := strings.Cut(c.rpc(strings.Replace(op, "%", params, 1)), "<config>")
	got, _, _ = strings.Cut(got, "</config>")
	return got
}

// netconf.md 47, 65: what each mode tells of a leaf that nobody set, of one that
// was set to its default, and of one that was set to something else.
func TestWithDefaults(t *testing.T) {
	_, c := ready(t)
	const minimal, always = "<reset-policy>minimal</reset-policy>", "<reset-policy>always</reset-policy>"
	c.ok(edit(resetPolicy("unset", "")), edit(resetPolicy("set", minimal)), edit(resetPolicy("other", always)))
	tests := []struct{ mode, unset, set string }{
		{"", "", minimal},
		{"explicit", "", minimal},
		{"report-all", minimal, minimal},
		{"report-all-tagged", `<reset-policy wd:default="true">minimal</reset-policy>`, minimal},
		{"trim", "", ""},
	}
	for _, tt := range tests {
		for _, op := range []string{"<get>%</get>", "<get-config><source><running/></source>%</get-config>", "<get-config><source><candidate/></source>%</get-config>"} {
			if unset, set, other := c.policy(op, "unset", tt.mode), c.policy(op, "set", tt.mode), c.policy(op, "other", tt.mode); unset != tt.unset || set != tt.set || other != always {
				t.Errorf("mode %q of %s: %q, %q, %q; want %q, %q, %q", tt.mode, op, unset, set, other, tt.unset, tt.set, always)
			}
		}
	}
	const ns = ` xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0"`
	for _, mode := range []string{"report-all-tagged", "report-all"} {
		if got := c.rpc("<get-config><source><running/></source>" + withDefaults(mode) + "</get-config>"); strings.Contains(got, ns) != (mode == "report-all-tagged") {
			t.Errorf("namespace of the attribute with %s: %.300s", mode, got)
		}
	}
	for op, path := range map[string]string{
		"<get>%</get>": "get", "<get-config><source><running/></source>%</get-config>": "get-config",
		"<copy-config><target><candidate/></target><source><running/></source>%</copy-config>": "copy-config",
	} {
		for _, bad := range []string{"all", "", "<x/>"} {
			c.fails(strings.Replace(op, "%", withDefaults(bad), 1), "protocol invalid-value path=/nc:rpc/nc:"+path+"/ncwd:with-defaults") // netconf.md 65
		}
		c.fails(strings.Replace(op, "%", "<with-defaults>trim</with-defaults>", 1), "protocol unknown-element path=/nc:rpc/nc:"+path+" element=with-defaults")
	}
	c.ok("<copy-config><target><candidate/></target><source><running/></source>" + withDefaults("report-all") + "</copy-config>")
	c.fails("<lock><target><running/></target>"+withDefaults("trim")+"</lock>", "protocol unknown-element path=/nc:rpc/nc:lock element=with-defaults")
}

// netconf.md 66: a tag in an edit sets back to the default, and lies about no
// other value.
func TestTaggedEdit(t *testing.T) {
	_, c := ready(t)
	const get = "<get-config><source><running/></source>%</get-config>"
	c.ok(edit(resetPolicy("x", "<reset-policy>always</reset-policy>")))
	c.fails(edit(resetPolicy("x", `<reset-policy wd:default="true">always</reset-policy>`)),
		"application invalid-value path=/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='x']/mbgp:config/mbgp:reset-policy")
	if got := c.policy(get, "x", ""); got != "<reset-policy>always</reset-policy>" {
		t.Errorf("it is %s after what was refused", got)
	}
	c.ok(edit(resetPolicy("x", `<reset-policy wd:default="true">minimal</reset-policy>`)))
	if got := c.policy(get, "x", ""); got != "" {
		t.Errorf("it is %s after it was set back", got)
	}
}
