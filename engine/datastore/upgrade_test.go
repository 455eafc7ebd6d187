package datastore

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
	"mooring/gen"
)

// unpackFormat1 writes the state of an agent of commit 35bba60 that was killed
// after 20 commits: each made one peer, with a description and a password.
func unpackFormat1(t *testing.T) string {
	t.Helper()
	packed, err := os.Open("testdata/format1.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, h.Name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The state of an earlier version is read, upgraded and read again.
func TestUpgradeOfFormat1(t *testing.T) {
	dir := unpackFormat1(t)
	for _, start := range []string{"the upgrade", "the start after it"} {
		s, err := Open(Options{Dir: dir, Log: silent()})
		if err != nil {
			t.Fatalf("%s: %v", start, err)
		}
		now := s.Running()
		want := map[string]string{}
		for i := range 20 {
			want[fmt.Sprintf("10.1.1.%d", i+1)] = fmt.Sprintf("d %d k%d", i, i)
		}
		now.Scan("", func(_ schema.Key, r ygot.GoStruct) bool {
			p, ok := r.(*gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer)
			if !ok {
				return true
			}
			if got := *p.Config.Description + " " + *p.Transport.Authentication.Config.Password; got != want[*p.Address] {
				t.Errorf("%s: peer %s has %q, want %q", start, *p.Address, got, want[*p.Address])
			}
			delete(want, *p.Address)
			return true
		})
		if now.Revision() != 20 || len(want) > 0 {
			t.Errorf("%s: revision %d, lost %v", start, now.Revision(), want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// One changed octet in the journal of an earlier version is refused, or changes nothing.
func TestDamageOfFormat1(t *testing.T) {
	dir := unpackFormat1(t)
	journal := filepath.Join(dir, "state.journal")
	content, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	content[8292] ^= 1
	if err := os.WriteFile(journal, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, Log: silent()})
	if err == nil {
		t.Errorf("a damaged frame is taken: revision %d", s.Running().Revision())
		_ = s.Close()
	}
}
