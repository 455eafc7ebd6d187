package xmltok

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
)

// editConfig returns an edit-config of n peers with 17 elements each.
func editConfig(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="101"><edit-config>` +
		`<target><running/></target><config xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><bgp xmlns="urn:mooring:bgp"><peers>`)
	for i := range n {
		fmt.Fprintf(&b, `<peer nc:operation="merge"><address>10.%d.%d.%d</address><config><address>10.%d.%d.%d</address><as>%d</as>`+
			`<description>peer %d &amp; more</description><enabled>true</enabled></config><transport><config><remote-port>179</remote-port>`+
			`<ebgp-max-hop>2</ebgp-max-hop><tcp-mss>1400</tcp-mss></config><connect-interface><config><interface>LoopBack%d</interface>`+
			`</config></connect-interface></transport><timers><config><hold-time>90</hold-time></config></timers></peer>`+"\n",
			i>>16, i>>8&255, i&255, i>>16, i>>8&255, i&255, 64512+i%1000, i, i%10)
	}
	b.WriteString(`</peers></bgp></config></edit-config></rpc>`)
	return b.Bytes()
}

func BenchmarkDecoder(b *testing.B) {
	in := editConfig(1000)
	b.Run("xmltok", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		b.ReportAllocs()
		for b.Loop() {
			d := NewDecoder(in, Options{})
			for {
				if _, err := d.Next(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("encoding-xml-RawToken", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(in))
			for {
				if _, err := d.RawToken(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkAppendEscaped(b *testing.B) {
	for name, s := range map[string]string{"plain": "LoopBack1 to the north", "mixed": "a & b\n## é", "long": strings.Repeat("plain text ", 1000)} {
		b.Run(name, func(b *testing.B) {
			var dst []byte
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendEscaped(dst[:0], s)
			}
		})
	}
}
