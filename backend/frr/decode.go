package frr

import (
	"encoding/json"
	"fmt"
)

// decodeNeighbor reads the answer about one neighbor, nil where bgpd has not
// got it.
func decodeNeighbor(b []byte, name string) (*neighborJSON, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("state of neighbor %s: %w", name, err)
	}
	raw, ok := answer[name]
	if !ok {
		return nil, nil
	}
	n := new(neighborJSON)
	if err := json.Unmarshal(raw, n); err != nil {
		return nil, fmt.Errorf("state of neighbor %s: %w", name, err)
	}
	return n, nil
}

// summaryPeer is a neighbor in a summary; it is compared with the last one.
type summaryPeer struct {
	State    string `json:"state"`
	Ups      uint64 `json:"connectionsEstablished"`
	Downs    uint64 `json:"connectionsDropped"`
	Received uint64 `json:"pfxRcd"`
	Sent     uint64 `json:"pfxSnt"`
}

// decodeSummary reads `show bgp summary json`: the neighbors of all address
// families, counters added up.
func decodeSummary(b []byte) (map[string]summaryPeer, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	out := map[string]summaryPeer{}
	for _, af := range sortedKeys(answer) {
		var family struct {
			Peers map[string]summaryPeer `json:"peers"`
		}
		if json.Unmarshal(answer[af], &family) != nil {
			continue // not an address family
		}
		for name, p := range family.Peers {
			sum := out[name]
			p.Received += sum.Received
			p.Sent += sum.Sent
			out[name] = p
		}
	}
	return out, nil
}
