package schema

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"
)

// lender is a View that ruins what it has lent when it lends a record of the
// same kind again.
type lender struct {
	*memory
	lent map[*RecordKind]ygot.GoStruct
}

func newLender(m *memory) lender { return lender{m, map[*RecordKind]ygot.GoStruct{}} }

func (l lender) LendState(k Key) ygot.GoStruct {
	if last := l.lent[k.Kind()]; last != nil {
		ruin(reflect.ValueOf(last).Elem())
	}
	st := l.states[k]
	if st == nil {
		return nil
	}
	l.lent[k.Kind()] = deepCopy(reflect.ValueOf(st)).Interface().(ygot.GoStruct)
	return l.lent[k.Kind()]
}

func (l lender) Fork() View { return newLender(l.memory) }

// deepCopy shares no memory with v but that of strings.
func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	case reflect.Slice:
		out.Set(reflect.AppendSlice(reflect.Zero(v.Type()), v))
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for it := v.MapRange(); it.Next(); {
				out.SetMapIndex(it.Key(), deepCopy(it.Value()))
			}
		}
	default:
		out.Set(v)
	}
	return out
}

// ruin overwrites everything that v leads to.
func ruin(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			ruin(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			ruin(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			ruin(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			ruin(it.Value())
		}
		v.Clear()
	}
	if v.CanSet() {
		v.SetZero()
	}
}

// randomState fills a struct of n with random state.
func randomState(r *rand.Rand, n *Node, sv reflect.Value) {
	for _, c := range n.Children {
		switch {
		case c.spine || c.kind != nil || c.isKey || c.OrderedByUser || r.IntN(4) == 0 || c.IsLeaf() && c.Config:
		case c.Kind == Leaf:
			c.set(sv, stateValue(r, c.Type))
		case c.Kind == LeafList:
			c.setValues(sv, []Value{stateValue(r, c.Type)})
		case c.Kind == Container:
			randomState(r, c, c.ensure(sv))
		default:
			for range r.IntN(4) {
				randomState(r, c, c.ensureEntry(sv, stateValue(r, c.Keys[0].Type).String()))
			}
		}
	}
}

// stateValue draws a value of a state leaf. Nobody checks the patterns of state.
func stateValue(r *rand.Rand, t *Type) Value {
	if t.Kind == ValueString {
		return StringValue(legalName(r))
	}
	return randomValue(r, t)
}

// What encoders and walks write and hand out does not depend on a state after
// the next one was lent.
func TestWalksLetGoOfLentState(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // long lists are written by several forks
	r := rand.New(rand.NewPCG(1, 1))
	m := sample(t)
	vpn := path(t, vpnPath)
	at, _, _ := vpn.Record()
	for i := range 3 * chunkSize {
		k := MakeKey(at, KindOf(KindPeer), fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
		m.records[k] = New(k)
	}
	for k, rec := range m.records {
		m.states[k] = New(k)
		randomState(r, kindOfRecord(rec).Node, structOf(m.states[k]))
	}
	peers := append(slices.Clone(vpn), path(t, peerPath)[len(vpn):]...)
	peers[len(peers)-1].Keys = nil
	filters := map[string]*Filter{
		"all": nil, "peers": parseFilter(t, peerXML("10.0.0.7", "")), "two": parseFilter(t, peerXML("10.0.0.7", "")+peerXML("10.0.1.7", "")),
		"established": parseFilter(t, `<filter><bgp `+bgpXMLNS+`><instances><instance><vpn-instances><vpn-instance><peers><peer><state><session-state>established</session-state></state></peer></peers></vpn-instance></vpn-instances></instance></instances></bgp></filter>`),
	}
	for _, content := range []Content{All, StateOnly, Operational} {
		read := func(v View) map[string]string {
			out := map[string]string{}
			for name, p := range map[string]Path{"root": nil, "peers": peers, "peer": path(t, peerPath)} {
				for _, depth := range []int{0, 2} {
					text, err := AppendJSON(nil, v, p, JSONOptions{Content: content, Depth: depth})
					if err != nil {
						t.Fatal(err)
					}
					out[fmt.Sprint("json ", name, depth)] = string(text)
				}
			}
			for name, f := range filters {
				for _, mode := range []DefaultsMode{Explicit, ReportAll} {
					var b bytes.Buffer
					if err := EncodeXML(&b, v, f, XMLOptions{Content: content, Defaults: mode}); err != nil {
						t.Fatal(err)
					}
					out["xml "+name+mode.String()] = b.String()
				}
			}
			var leaves []LeafValue
			Leaves(v, nil, LeafOptions{Content: content, Defaults: true}, func(l *LeafValue) bool {
				leaves = append(leaves, LeafValue{Record: l.Path(), Value: l.Value, Values: l.Values})
				return true
			})
			var nodes []Path
			Match(v, append(peers, Step{Node: peers.Node().Child("state")}), LeafOptions{Content: content}, func(p Path) bool {
				nodes = append(nodes, p)
				return true
			})
			if len(leaves) < 1000 || len(nodes) < chunkSize {
				t.Fatalf("content %d: %d leaves, %d nodes", content, len(leaves), len(nodes))
			}
			var text strings.Builder
			for _, l := range leaves {
				fmt.Fprintln(&text, l.Record, l.Value, l.Values)
			}
			out["leaves"], out["match"] = text.String(), fmt.Sprint(nodes)
			return out
		}
		kept, lent := read(m), read(newLender(m))
		for what, text := range kept {
			if text != lent[what] {
				t.Errorf("content %d, %s: lent state differs at octet %d", content, what, differAt([]byte(text), []byte(lent[what])))
			}
		}
	}
}
