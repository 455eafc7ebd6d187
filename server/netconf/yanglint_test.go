package netconf

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// exchanged is an operation whose reply libyang is asked about, with what it
// makes the server notify w of.
type exchanged struct {
	by      *client
	op      string
	notices int
}

// Every operation and its reply are valid for libyang, with the modules that the
// server publishes, and so is what a subscriber is told meanwhile. libyang 2
// wants the mandatory nodes of a reply also where it is an error, so errors of
// such operations are not here.
//
// netconf.md 21, 70, 74 to 76, 78 to 80, 82
func TestRepliesAgainstYanglint(t *testing.T) {
	r := setup{startup: true, urlDir: t.TempDir()}.rig(t)
	c, own, victim, w, old := r.open(), r.own(), r.open(), r.open(), r.open()
	c.setUp()
	c.established()
	l := newLibyang(t, c)
	running := l.file("running.xml", c.reads("")) // where instance-identifiers lead to
	asked := map[string]bool{}
	for _, x := range []exchanged{
		{c, "<get/>", 0},
		{c, readBy(onlyVPNs), 0},
		{c, readBy(`<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all</with-defaults>`), 0},
		{c, readBy(`<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all-tagged</with-defaults>`), 0},
		{c, edit(peer("", peer2, "<description>two</description>")), 0},
		{c, edit(peer(op+`"create"`, peer2, "")), 0}, // an error
		{c, data("operational", "<with-origin/>"), 0},
		{c, data("candidate", xpathData("//b:peer")+"<max-depth>2</max-depth>"), 0},
		{c, editData("candidate", "", peer("", "10.1.1.3", "<as>3</as>")), 0},
		{c, editData("intended", "", vpn1), 0}, // an error
		{c, compare("running", "candidate", ""), 0},
		{c, compare("candidate", "running", "<all/>"), 0},
		{c, compare("running", "startup", "<subtree-filter>"+vpn1+"</subtree-filter>"), 0}, // no matches or differences
		{c, compare("running", "operational", "<report-origin/>"), 0},                      // an error
		{c, validateOf("<candidate/>"), 0},
		{c, previewRPC, 0},
		{c, "<commit><confirmed/><persist>word</persist></commit>", 0},
		{c, cancelWith("other"), 0}, // an error
		{c, cancelWith("word"), 0},
		{c, cancelCommit, 0}, // an error
		{c, "<discard-changes/>", 0},
		{c, commitTag, 0},
		{c, lock("candidate"), 0},
		{c, lock("candidate"), 0}, // an error
		{c, unlock("candidate"), 0},
		{c, copyConfig("candidate", "<running/>"), 0},
		{c, "<copy-config><target>" + url("kept.xml") + "</target><source><running/></source></copy-config>", 0},
		{c, deleteConfig(url("kept.xml")), 0},
		{c, deleteConfig("<startup/>"), 0},
		{c, partialLock(onePeer, "//b:peer/b:config"), 0},
		{c, partialUnlock("1"), 0},
		{own, editDraft(peer("", peer2, "<as>201</as>")), 0},
		{c, edit(peer("", peer2, "<as>202</as>")), 0},
		{own, "<commit/>", 0},                  // a conflict
		{own, update("revert-on-conflict"), 0}, // the same
		{own, update("prefer-candidate"), 0},
		{own, "<discard-changes/>", 0},
		{c, getSchema("mooring-types", "", ""), 0},
		{c, getSchema("nothing", "", ""), 0}, // an error
		{c, resetPeer(peerParams), 0},
		{c, resetPeer(""), 0}, // an error
		{c, rollbackTo(r.engine.Store().History()[0].CommitID), 0},
		{c, rollbackTo("nothing"), 0}, // an error
		{old, subscribe(`<filter type="subtree"><replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/></filter>`), 0},
		{old, subscribe(""), 0}, // an error
		{w, establish(onNETCONF + events("netconf-session-end")), 0},
		{w, establish(of("running", peers("")) + onChange("")), 1},
		{w, onSubscription("modify-subscription", "<id>1</id>"+events("netconf-session-start")), 1},
		{w, onSubscription("modify-subscription", "<id>9</id>"+events("netconf-session-start")), 0}, // an error
		{w, resync("2"), 1},
		{w, resync("9"), 0}, // an error
		{w, withID("delete-subscription", "1"), 0},
		{w, withID("delete-subscription", "1"), 0}, // an error
		{c, withID("kill-subscription", "2"), 1},
		{c, withID("kill-subscription", "2"), 0}, // an error
		{c, kill(victim.id), 0},
		{c, kill(victim.id), 0}, // an error
		{c, "<close-session/>", 0},
	} {
		name := strings.TrimLeft(x.op, "<")[:strings.IndexAny(x.op[1:], " />")]
		asked[name] = true
		t.Run(name, func(t *testing.T) {
			x.by.next++
			rpc := fmt.Sprintf(`<rpc xmlns="%s" message-id="%d">%s</rpc>`, ncNS, x.by.next, x.op)
			reply := x.by.exchange(rpc)
			args := []string{"-t", "nc-reply", "-O", running, "-R", l.file("rpc.xml", rpc), l.file("reply.xml", reply)}
			if out, err := l.lint(args...); err != nil || out != "" {
				t.Errorf("%v: %s\n%s\n%.2000s", err, out, rpc, reply)
			}
			for range x.notices {
				told := w.read()
				if out, err := l.lint("-t", "nc-notif", "-O", running, l.file("told.xml", told)); err != nil || out != "" {
					t.Errorf("%v: %s\n%.2000s", err, out, told)
				}
			}
		})
	}
	for _, name := range served(t) {
		if !asked[name] {
			t.Errorf("libyang was not asked about %s", name)
		}
	}
}

// served are the operations of the modules that the server publishes.
func served(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, dir := range []string{"../../yang", "../../yang/ietf"} {
		files, err := filepath.Glob(dir + "/*.yang")
		if err != nil || len(files) == 0 {
			t.Fatalf("no modules in %s: %v", dir, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^  rpc (\S+) `).FindAllSubmatch(text, -1) {
				names = append(names, string(m[1]))
			}
		}
	}
	return names
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
