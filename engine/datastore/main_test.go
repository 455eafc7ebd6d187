package datastore

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/openconfig/ygot/ygot"
	"go.uber.org/goleak"

	"mooring/bgp"
	"mooring/engine/schema"
	"mooring/gen"
)

// childVariable makes the test binary a child process that does one thing.
const childVariable = "MOORING_DATASTORE_CHILD"

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		if err := children[child](os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// ygot imports glog, which starts this one when the program starts.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

var children = map[string]func(dir string) error{
	"commit": commitForEver,
	"full":   commitOnAFullDisk,
}

type peer = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer

var (
	instance = schema.BGPInstanceKey("default")
	public   = schema.BGPVPNInstanceKey(bgp.InstanceKey{Instance: "default", VPN: bgp.PublicVPN})
)

func peerKey(i int) schema.Key {
	return schema.MakeKey(public, schema.KindOf(schema.KindPeer), fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255))
}

func groupKey(name string) schema.Key {
	return schema.MakeKey(public, schema.KindOf(schema.KindPeerGroup), name)
}

func leaf(k *schema.RecordKind, names ...string) *schema.Node {
	n := k.Node
	for _, name := range names {
		n = n.Child(name)
	}
	return n
}

var descriptionLeaf = leaf(schema.KindOf(schema.KindPeer), "config", "description")

// describe writes the description of a peer, as an edit does. The peer is one
// that the model takes.
func describe(t *Txn, k schema.Key, text string) {
	c := t.Mutable(k).(*peer).GetOrCreateConfig()
	if c.Description = &text; c.As == nil {
		c.As = new(uint32(65001))
	}
	t.Touch(k, descriptionLeaf)
}

func join(t *Txn, k schema.Key, name string) {
	c := t.Mutable(k).(*peer).GetOrCreateConfig()
	if c.As == nil {
		c.As = new(uint32(65001))
	}
	if c.PeerGroup = nil; name != "" {
		c.PeerGroup = &name
	}
}

// described returns the description of a peer, "-" for no peer.
func described(r schema.Reader, k schema.Key) string {
	rec := r.Get(k)
	if rec == nil {
		return "-"
	}
	if c := rec.(*peer).GetConfig(); c != nil && c.Description != nil {
		return *c.Description
	}
	return ""
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Log: silent()})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// filesOf is the disk of a store.
func filesOf(s *Store) *files { return s.disk.(*files) }

// commit makes one commit of what fn does.
func commit(t testing.TB, s *Store, fn func(*Txn)) *Snapshot {
	t.Helper()
	txn := s.Begin()
	defer txn.Discard()
	fn(txn)
	return finish(t, s, txn)
}

func finish(t testing.TB, s *Store, txn *Txn) *Snapshot {
	t.Helper()
	snap, err := s.Persist(txn, Meta{CommitID: "test"})
	if err != nil {
		t.Fatalf("Persist: %v", err)
	}
	s.Publish(snap)
	return snap
}

// addBase makes the records above the peers.
func addBase(txn *Txn) {
	txn.Mutable(instance).(*gen.MooringBgp_Bgp_Instances_Instance).GetOrCreateConfig().As = new(uint32(65000))
	txn.Mutable(public)
}

func keysOf(r schema.Reader, prefix schema.Key) []schema.Key {
	var out []schema.Key
	r.Scan(prefix, func(k schema.Key, _ ygot.GoStruct) bool {
		out = append(out, k)
		return true
	})
	return out
}

func referrers(r schema.Reader, k schema.Key) []schema.Key {
	var out []schema.Key
	r.Referrers(k, func(k schema.Key) bool {
		out = append(out, k)
		return true
	})
	return out
}
