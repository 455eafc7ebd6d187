package schema

import "strings"

// Key names a record: for each level a zero byte, the letter of the kind and
// the list key. It is ordered and the same in memory and on disk. A parent is
// a prefix of its children and sorts directly before them; the children of k
// are exactly the keys with prefix k+"\x00". The empty Key is the root's.
type Key string

// MakeKey returns the key of a record of a kind below parent. Values are
// canonical; a singleton has none.
func MakeKey(parent Key, kind *RecordKind, values ...string) Key {
	return parent + "\x00" + Key(kind.Letter) + Key(strings.Join(values, "")) // one allocation
}

// Kind returns the kind of the record, nil for the empty Key and for text that
// is no key.
func (k Key) Kind() *RecordKind {
	i := strings.LastIndexByte(string(k), 0)
	if i < 0 || i+1 >= len(k) {
		return nil
	}
	return KindOf(k[i+1])
}

// Parent returns the key of the record above, which is empty at the top.
func (k Key) Parent() Key {
	return k[:max(0, strings.LastIndexByte(string(k), 0))]
}

// Name returns the list key of the record itself, empty for a singleton.
func (k Key) Name() string {
	i := strings.LastIndexByte(string(k), 0)
	if i < 0 || i+2 > len(k) {
		return ""
	}
	return string(k[i+2:])
}

// Values returns the list keys of all levels, outermost first.
func (k Key) Values() []string {
	var out []string
	for level := range strings.SplitSeq(string(k), "\x00") {
		if len(level) > 1 {
			if out == nil {
				out = make([]string, 0, strings.Count(string(k), "\x00"))
			}
			out = append(out, level[1:])
		}
	}
	return out
}

// Path returns the data path of the record.
func (k Key) Path() Path {
	kind := k.Kind()
	if kind == nil {
		return nil
	}
	p := append(make(Path, 0, len(kind.path)+4), kind.path...)
	for i := len(p) - 1; i >= 0; i-- {
		n := p[i].Node
		if n.kind == nil {
			continue
		}
		if !n.kind.Singleton {
			p[i].Keys = []string{k.Name()}
		}
		k = k.Parent()
	}
	return p
}

// String returns the data path as text.
func (k Key) String() string { return k.Path().String() }

// Below returns the prefix of the keys of all records below k.
func (k Key) Below() Key { return k + "\x00" }

// childPrefix is the prefix of the keys of kind below k, and of what is below
// those.
func (k Key) childPrefix(kind *RecordKind) Key { return k + "\x00" + Key(kind.Letter) }

// direct says whether k, which has the prefix, is no deeper than the prefix's
// own level.
func (k Key) direct(prefix Key) bool {
	return strings.IndexByte(string(k[len(prefix):]), 0) < 0
}
