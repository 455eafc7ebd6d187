package schema

import "github.com/openconfig/ygot/ygot"

// View is configuration and state to read. The records that it returns must
// not be changed. Get and Scan may be called from within a Scan.
type View interface {
	// Get returns the configuration record of a key, nil for none.
	Get(k Key) ygot.GoStruct
	// State returns a struct of the same type with only its config false parts
	// filled, nil for none.
	State(k Key) ygot.GoStruct
	// Scan calls fn for each configuration record whose key has the prefix, in
	// order, until fn returns false.
	Scan(prefix Key, fn func(Key, ygot.GoStruct) bool)
}

// StateLender is a View that has a cheaper State for readers of many records.
type StateLender interface {
	// LendState is State whose answer is good until it is called again for a
	// record of the same kind: the structs, and what their leaves point to, may
	// then be those of that record. Values that were read, strings as well, stay
	// as they are.
	LendState(k Key) ygot.GoStruct
}

// LendState returns the state of a record as a StateLender does, for walks that
// go from record to record and hand out values only. Whoever keeps it, or gives
// it away, takes State.
func LendState(v View, k Key) ygot.GoStruct {
	if l, ok := v.(StateLender); ok {
		return l.LendState(k)
	}
	return v.State(k)
}

// EntryScanner is a View that finds the entries of a list without looking at
// the records below each of them.
type EntryScanner interface {
	// ScanEntries is Scan of the records that are no deeper than the prefix.
	ScanEntries(prefix Key, fn func(Key, ygot.GoStruct) bool)
}

// ScanEntries calls fn for the records directly below a prefix, the entries of
// one list, in order, until fn returns false.
func ScanEntries(v interface {
	Scan(prefix Key, fn func(Key, ygot.GoStruct) bool)
}, prefix Key, fn func(Key, ygot.GoStruct) bool,
) {
	if s, ok := v.(EntryScanner); ok {
		s.ScanEntries(prefix, fn)
		return
	}
	v.Scan(prefix, func(k Key, rec ygot.GoStruct) bool { return !k.direct(prefix) || fn(k, rec) })
}

// Reader is a configuration to read and to validate.
type Reader interface {
	Get(k Key) ygot.GoStruct
	Scan(prefix Key, fn func(Key, ygot.GoStruct) bool)
	// Referrers calls fn for the records with a leafref that names k.
	Referrers(k Key, fn func(Key) bool)
	// Holders calls fn for the records that hold a value of a unique index.
	Holders(index, value string, fn func(Key) bool)
}

// Tx is a private copy of a configuration, to be edited.
type Tx interface {
	Reader
	// Mutable returns the transaction's own copy of a record, and creates the
	// record with its keys when it is absent.
	Mutable(k Key) ygot.GoStruct
	// Delete removes one record, not those below it, and says whether it was
	// there.
	Delete(k Key) bool
	// Touch notes that a leaf was written, also with an equal value.
	Touch(k Key, leaf *Node)
}

// Dirty is a record that differs: nil is absent.
type Dirty struct {
	Key      Key
	Old, New ygot.GoStruct
}

// Content selects which part of the data is read.
type Content uint8

// The contents.
const (
	All         Content = iota // configuration and state
	ConfigOnly                 // config true
	StateOnly                  // config false, with the list keys that lead to it
	Operational                // state without leaves that repeat a configuration leaf
)

// takes says whether a leaf that is no list key belongs to the content.
func (c Content) takes(n *Node) bool {
	switch c {
	case ConfigOnly:
		return n.Config
	case StateOnly:
		return !n.Config
	case Operational:
		return !n.Config && !n.mirror
	}
	return true
}

func (c Content) config() bool { return c == All || c == ConfigOnly }
func (c Content) state() bool  { return c != ConfigOnly }
