package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Kind of a Speaker.
type SpeakerKind string

// The kinds.
const (
	BIRDSpeaker  SpeakerKind = "BIRD"
	FRRSpeaker   SpeakerKind = "FRR"
	GoBGPSpeaker SpeakerKind = "GoBGP"
)

// SpeakerConfig configures a remote of any kind alike: it waits for its
// neighbors on port 179, at any distance, and sends with TTL 255.
type SpeakerConfig struct {
	AS, NeighborAS  uint32
	RouterID        netip.Addr
	Neighbors       []netip.Addr // IPv4
	Password        string       // TCP MD5 (RFC 2385)
	GracefulRestart bool         // with the N bit (RFC 8538), where the kind knows it
}

const (
	frrBGPD      = "/usr/lib/frr/bgpd"
	speakerStart = 20 * time.Second // until it listens
)

// RequireSpeaker is Require for the daemon of a kind.
func RequireSpeaker(t testing.TB, kind SpeakerKind) {
	t.Helper()
	Require(t)
	switch kind {
	case BIRDSpeaker:
		RequireBIRD(t)
	case FRRSpeaker:
		_, err := os.Stat(frrBGPD)
		require(t, missing(err, "frr"))
	case GoBGPSpeaker:
		_, err := exec.LookPath("gobgpd")
		require(t, missing(err, "gobgpd"))
	}
}

func missing(err error, pkg string) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("needs the Debian package %s: %v", pkg, err)
}

// StartSpeaker starts a daemon in the namespace, waits until it listens, and
// ends it in the Cleanup of the test.
func (l *Lab) StartSpeaker(n *Namespace, kind SpeakerKind, cfg SpeakerConfig) {
	l.t.Helper()
	RequireSpeaker(l.t, kind)
	dir, err := os.MkdirTemp(l.dir, "speaker")
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
	switch kind {
	case BIRDSpeaker:
		l.StartBIRD(n, cfg.bird())
	case FRRSpeaker:
		l.startDaemon(n, dir, cfg.frr(), func(conf string) []string {
			return []string{
				frrBGPD, "-Z", "-S", "-f", conf, "-i", filepath.Join(dir, "pid"), "-z", filepath.Join(dir, "z"),
				"--vty_socket", dir, "-P", "0", "--log", "stdout",
			}
		})
	case GoBGPSpeaker:
		l.startDaemon(n, dir, cfg.gobgp(), func(conf string) []string {
			return []string{"gobgpd", "-f", conf, "--api-hosts", "127.0.0.1:50051"}
		})
	}
	for end := time.Now().Add(speakerStart); !n.listens(); time.Sleep(birdPoll) {
		if time.Now().After(end) {
			l.t.Fatalf("netlab: the %s in %s does not listen", kind, n.Name)
		}
	}
}

// listens says whether somebody listens on port 179 of the namespace.
func (n *Namespace) listens() bool {
	err := n.Do(func() error {
		c, err := net.Dial("tcp", "127.0.0.1:179")
		if err != nil {
			return err
		}
		return c.Close()
	})
	return err == nil
}

func (l *Lab) startDaemon(n *Namespace, dir, text string, command func(conf string) []string) {
	l.t.Helper()
	conf := filepath.Join(dir, "conf")
	out, err := os.Create(filepath.Join(dir, "log"))
	if err == nil {
		defer out.Close() // the child has its own descriptor
		err = errors.Join(os.WriteFile(conf, []byte(text), 0o644), giveToFRR(l.dir, dir, conf))
	}
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
	words := command(conf)
	cmd := n.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		l.t.Fatalf("netlab: start %s: %v", words[0], err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGKILL) // or it has ended
		_ = cmd.Wait()                       // how it ended is in its log
		if log, err := os.ReadFile(out.Name()); l.t.Failed() && err == nil {
			l.t.Logf("netlab: log of %s:\n%s", words[0], log)
		}
	})
}

// giveToFRR lets the user that bgpd makes itself have the files, where there
// is one.
func giveToFRR(parent string, files ...string) error {
	frr, err := user.Lookup("frr")
	if err != nil {
		return nil
	}
	uid, err1 := strconv.Atoi(frr.Uid)
	gid, err2 := strconv.Atoi(frr.Gid)
	errs := []error{err1, err2, os.Chmod(parent, 0o755)}
	for _, f := range files {
		errs = append(errs, os.Chown(f, uid, gid))
	}
	return errors.Join(errs...)
}

func (c SpeakerConfig) bird() BIRDConfig {
	out := BIRDConfig{RouterID: c.RouterID}
	for i, a := range c.Neighbors {
		p := BIRDPeer{
			Name: fmt.Sprintf("dut%d", i), LocalAS: c.AS, NeighborAddr: a, NeighborAS: c.NeighborAS,
			Passive: true, MultihopTTL: 255, Password: c.Password,
		}
		if c.GracefulRestart {
			p.ExtraLines = append(p.ExtraLines, "graceful restart on;")
		}
		out.Protocols = append(out.Protocols, p)
	}
	return out
}

func (c SpeakerConfig) frr() string {
	var b strings.Builder
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n", c.AS, c.RouterID)
	for _, a := range c.Neighbors {
		fmt.Fprintf(&b, " neighbor %[1]s remote-as %[2]d\n neighbor %[1]s ebgp-multihop 255\n neighbor %[1]s passive\n", a, c.NeighborAS)
		if c.Password != "" {
			fmt.Fprintf(&b, " neighbor %s password %s\n", a, c.Password)
		}
		if c.GracefulRestart {
			fmt.Fprintf(&b, " neighbor %s graceful-restart\n", a)
		}
	}
	return b.String()
}

func (c SpeakerConfig) gobgp() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global.config]\nas = %d\nrouter-id = %q\n", c.AS, c.RouterID)
	for _, a := range c.Neighbors {
		fmt.Fprintf(&b, "[[neighbors]]\n[neighbors.config]\nneighbor-address = %q\npeer-as = %d\n", a, c.NeighborAS)
		if c.Password != "" {
			fmt.Fprintf(&b, "auth-password = %q\n", c.Password)
		}
		b.WriteString("[neighbors.transport.config]\npassive-mode = true\n" +
			"[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 255\n")
		if c.GracefulRestart {
			b.WriteString("[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 120\nnotification-enabled = true\n" +
				"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n" +
				"[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n")
		}
	}
	return b.String()
}
