package server

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is where the tests' logins come from.
var client = netip.MustParseAddrPort("192.0.2.1:40000")

// cheapHash hashes at the lowest cost, so that tests take milliseconds.
func cheapHash(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// openUsers opens a file with that text.
func openUsers(t testing.TB, text string) *Users {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	write(t, path, text, 0o600)
	return reopen(t, path)
}

// reopen is OpenUsers at the lowest cost.
func reopen(t testing.TB, path string) *Users {
	t.Helper()
	u, err := openUsersAt(path, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s is %04o, want %04o", filepath.Base(path), got, want)
	}
}

// wantNoLeftovers checks that dir holds exactly these files.
func wantNoLeftovers(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("directory holds %q, want %q", got, want)
	}
}

func TestIdentityText(t *testing.T) {
	tests := []struct {
		name string
		id   Identity
		want string
	}{
		{"network", Identity{User: "ann", Source: client, Protocol: "netconf", Session: 4}, "ann from 192.0.2.1:40000 over netconf session 4"},
		{"socket", Identity{User: "ann"}, "ann from a local socket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.id.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "by", &tt.id)
			if !strings.Contains(log.String(), "by.user=ann") {
				t.Errorf("log line without the user: %s", log.String())
			}
		})
	}
}

func TestSourceOf(t *testing.T) {
	tests := []struct {
		name string
		addr net.Addr
		want netip.AddrPort
	}{
		{"ipv4", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 1}, netip.MustParseAddrPort("192.0.2.1:1")},
		{"ipv4 on a v6 socket", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To16(), Port: 1}, netip.MustParseAddrPort("192.0.2.1:1")},
		{"ipv6", &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}, netip.MustParseAddrPort("[2001:db8::1]:1")},
		{"unix", &net.UnixAddr{Name: "/x"}, netip.AddrPort{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SourceOf(tt.addr); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
