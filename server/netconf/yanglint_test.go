package netconf

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// libyang validates messages against the modules that the server publishes.
type libyang struct {
	testing.TB
	path, dir string
	features  []string // as arguments
}

// newLibyang has the features that the YANG library tells of.
func newLibyang(t *testing.T, c *client) *libyang {
	t.Helper()
	l := &libyang{TB: t, path: need(t, "/usr/bin/yanglint", "libyang2-tools"), dir: t.TempDir()}
	var library struct {
		Modules []struct {
			Name     string   `xml:"name"`
			Features []string `xml:"feature"`
		} `xml:"module-set>module"`
	}
	text := c.state(`<yang-library xmlns="` + libraryNS + `"/>`)
	if err := xml.Unmarshal([]byte(text), &library); err != nil || len(library.Modules) == 0 {
		t.Fatalf("YANG library: %v\n%s", err, text)
	}
	for _, m := range library.Modules {
		if len(m.Features) > 0 {
			l.features = append(l.features, "-F", m.Name+":"+strings.Join(m.Features, ","))
		}
	}
	return l
}

// lint runs yanglint with all modules that the server has; the last argument is
// the file that it looks at.
func (l *libyang) lint(args ...string) (string, error) {
	all := append([]string{"-p", "../../yang", "-p", "../../yang/ietf"}, l.features...)
	all = append(all, args[:len(args)-1]...)
	for _, pattern := range []string{"../../yang/ietf/*.yang", "../../yang/*.yang"} {
		modules, err := filepath.Glob(pattern)
		if err != nil || len(modules) == 0 {
			l.Fatalf("no modules in %s: %v", pattern, err)
		}
		all = append(all, modules...)
	}
	out, err := exec.Command(l.path, append(all, args[len(args)-1])...).CombinedOutput()
	return string(out), err
}

func (l *libyang) file(name, text string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
	return path
}

// Every operation and its reply are valid for libyang, with the modules that the
// server publishes.
func TestRepliesAgainstYanglint(t *testing.T) {
	r, c := ready(t)
	l := newLibyang(t, c)
	victim := r.open()
	for _, op := range []string{
		"<get/>",
		readBy(onlyVPNs),
		readBy(`<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all</with-defaults>`),
		edit(peer("", peer2, "<description>two</description>")),
		edit(peer(op+`"create"`, peer2, "")), // an error
		editDraft(peer("", "10.1.1.3", "<as>3</as>")),
		"<validate><source><candidate/></source></validate>",
		previewRPC,
		"<commit><confirmed/><persist>word</persist></commit>",
		"<cancel-commit><persist-id>word</persist-id></cancel-commit>",
		"<discard-changes/>",
		"<commit/>",
		lock("candidate"),
		lock("candidate"), // an error
		unlock("candidate"),
		"<copy-config><target><candidate/></target><source><running/></source></copy-config>",
		getSchema("mooring-types", "", ""),
		resetPeer(""),
		kill(victim.id),
		"<close-session/>",
	} {
		name := strings.TrimLeft(op, "<")[:strings.IndexAny(op[1:], " />")]
		t.Run(name, func(t *testing.T) {
			c.next++
			rpc := fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, ncNS, c.next, op)
			reply := c.exchange(rpc)
			if out, err := l.lint("-t", "nc-reply", "-R", l.file("rpc.xml", rpc), l.file("reply.xml", reply)); err != nil || out != "" {
				t.Errorf("%v: %s\n%s\n%.2000s", err, out, rpc, reply)
			}
		})
	}
}

// What get-config and get return is valid data.
func TestDataAgainstYanglint(t *testing.T) {
	_, c := ready(t)
	l := newLibyang(t, c)
	c.ok(edit(manyPeers(20)))
	for kind, op := range map[string]string{"getconfig": "<get-config><source><running/></source></get-config>", "get": "<get/>"} {
		data, ok := strings.CutPrefix(c.rpc(op), "<data>")
		if !ok {
			t.Fatalf("%s: no data: %.200s", kind, data)
		}
		data = strings.TrimSuffix(data, "</data>")
		if out, err := l.lint("-t", kind, l.file(kind+".xml", data)); err != nil || out != "" {
			t.Errorf("%s: %v: %s\n%.3000s", kind, err, out, data)
		}
	}
}
