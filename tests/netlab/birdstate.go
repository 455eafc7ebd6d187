package netlab

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// BIRDPeerState is the state of one BGP protocol as BIRD shows it.
type BIRDPeerState struct {
	Name            string
	State           string // of the protocol: up, start, down
	Info            string // as "Established" or "Active Received: Administrative shutdown"
	BGPState        string // of the FSM: Established, Active, Passive, ...
	NeighborAddress string // or range
	NeighborID      string
	SourceAddress   string // of the session, when there is one
	LastError       string
	Imported        int // routes, all channels
}

// readReply reads lines "NNNN-text" and " text" up to the last one,
// "NNNN text". Codes from 8000 on are errors.
func readReply(r *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") {
			text.WriteString(line[1:] + "\n")
			continue
		}
		if len(line) < 5 {
			return "", fmt.Errorf("reply %q has no code", line)
		}
		text.WriteString(line[5:] + "\n")
		switch {
		case line[4] == '-':
		case line[0] >= '8':
			return "", fmt.Errorf("refused: %s", line)
		default:
			return text.String(), nil
		}
	}
}

// parseProtocols reads the output of `show protocols all`: a line per
// protocol (name, type, table, state, since, info), then indented details.
func parseProtocols(text string) []BIRDPeerState {
	var peers []BIRDPeerState
	var p *BIRDPeerState
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			f := strings.Fields(line)
			if len(f) == 0 {
				continue
			}
			p = nil
			if len(f) >= 5 && f[1] == "BGP" {
				peers = append(peers, BIRDPeerState{Name: f[0], State: f[3], Info: strings.Join(f[5:], " ")})
				p = &peers[len(peers)-1]
			}
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if p == nil || !ok {
			continue
		}
		p.set(key, strings.TrimSpace(value))
	}
	return peers
}

func (p *BIRDPeerState) set(key, value string) {
	switch key {
	case "BGP state":
		p.BGPState = value
	case "Neighbor address", "Neighbor range":
		p.NeighborAddress = value
	case "Neighbor ID":
		p.NeighborID = value
	case "Source address":
		p.SourceAddress = value
	case "Last error":
		p.LastError = value
	case "Routes":
		count, _, _ := strings.Cut(value, " ")
		if n, err := strconv.Atoi(count); err == nil {
			p.Imported += n
		}
	}
}
