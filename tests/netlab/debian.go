package netlab

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Release is a Debian release whose daemons run beside those of the host, in a
// folder that unpack-debian has filled. The zero value is the host itself.
type Release string

// Trixie is Debian 13.
const Trixie Release = "trixie"

//go:embed debian.pins
var debianPins string

// RequireRelease is Require for the packages of a release.
func RequireRelease(t testing.TB, r Release) {
	t.Helper()
	Require(t)
	if r == "" {
		return
	}
	reason := ""
	root, err := r.root()
	if err == nil {
		var is []byte
		is, err = os.ReadFile(filepath.Join(root, ".unpacked"))
		if err == nil && string(is) != r.pins() {
			err = fmt.Errorf("%s holds other versions", root)
		}
	}
	if err != nil {
		reason = fmt.Sprintf("needs packages of Debian %s, run tests/netlab/unpack-debian: %v", r, err)
	}
	require(t, reason)
}

// pins are the packages of the release, one a line.
func (r Release) pins() string {
	var b strings.Builder
	for line := range strings.Lines(debianPins) {
		if pkg, ok := strings.CutPrefix(line, string(r)+" "); ok {
			b.WriteString(pkg)
		}
	}
	return b.String()
}

func (r Release) root() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "mooring", "debian", string(r)), err
}

// CommandOf is Command for a program of a release. The program sees the folder
// of the release as the root of its file system, with /dev, /proc, /run, /sys
// and the directory for temporary files of the host, in a mount namespace of
// its own. Its path is that of an installed package.
func (n *Namespace) CommandOf(r Release, name string, args ...string) *exec.Cmd {
	if r == "" {
		return n.Command(name, args...)
	}
	root, err := r.root()
	if err != nil {
		n.lab.t.Fatalf("netlab: %v", err)
	}
	// ip netns exec has made the mount namespace; all programs replace each other.
	const enter = `set -e
root=$1 tmp=$2
shift 2
mkdir -p "$root$tmp"
for d in /dev /proc /run /sys "$tmp"; do mount --rbind "$d" "$root$d"; done
exec chroot "$root" "$@"`
	return n.Command("sh", append([]string{"-c", enter, "sh", root, filepath.Clean(os.TempDir()), name}, args...)...)
}
