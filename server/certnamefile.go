package server

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// certEntry is one entry of cert-to-name as the file has it.
type certEntry struct {
	ID          uint32  `yaml:"id"`
	Fingerprint string  `yaml:"fingerprint,omitempty"`
	MapType     mapType `yaml:"map-type"`
	Name        string  `yaml:"name,omitempty"`
}

// decodeCertToName reads the list cert-to-name.
func decodeCertToName(n *yaml.Node) ([]certEntry, error) {
	list, err := sequence(n, "cert-to-name")
	if err != nil {
		return nil, err
	}
	entries := make([]certEntry, 0, len(list))
	line := make(map[uint32]int, len(list))
	for _, node := range list {
		e, err := decodeCertEntry(node)
		if err != nil {
			return nil, err
		}
		if first, dup := line[e.ID]; dup {
			return nil, fmt.Errorf("line %d: the id %d is already on line %d", node.Line, e.ID, first)
		}
		line[e.ID] = node.Line
		entries = append(entries, e)
	}
	return entries, nil
}

func decodeCertEntry(node *yaml.Node) (certEntry, error) {
	var e certEntry
	fields, err := mapping(node, "id", "fingerprint", "map-type", "name")
	if err != nil {
		return e, err
	}
	for _, key := range []string{"id", "map-type"} {
		if fields[key] == nil {
			return e, fmt.Errorf("line %d: entry of cert-to-name without %s", node.Line, key)
		}
	}
	if n := fields["id"]; n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		return e, fmt.Errorf("line %d: id must be a number", n.Line)
	}
	id, err := strconv.ParseUint(fields["id"].Value, 10, 32)
	if err != nil {
		return e, fmt.Errorf("line %d: id must be a number from 0 to 4294967295", fields["id"].Line)
	}
	e.ID = uint32(id)
	kind, err := scalar(fields["map-type"], "map-type")
	if err != nil {
		return e, err
	}
	e.MapType = mapType(kind)
	for key, to := range map[string]*string{"fingerprint": &e.Fingerprint, "name": &e.Name} {
		if n := fields[key]; n != nil {
			if *to, err = scalar(n, key); err != nil {
				return e, err
			}
			if *to == "" { // an empty fingerprint must not fit every certificate
				return e, fmt.Errorf("line %d: %s is empty: leave it out or give it a value", n.Line, key)
			}
		}
	}
	if _, err := e.rule(); err != nil {
		return e, fmt.Errorf("line %d: cert-to-name %d: %w", node.Line, e.ID, err)
	}
	return e, nil
}

// rule checks an entry.
func (e *certEntry) rule() (r certRule, err error) {
	r = certRule{id: e.ID, mapType: e.MapType, name: e.Name}
	switch {
	case !slices.Contains(mapTypes, e.MapType):
		return r, fmt.Errorf("map-type is not known: want one of %v", mapTypes)
	case e.MapType == mapSpecified && !word.MatchString(e.Name):
		return r, errors.New("map-type specified needs a name of 1 to 64 letters, digits or ._@- that does not begin with .@-")
	case e.MapType != mapSpecified && e.Name != "":
		return r, errors.New("name is for map-type specified only: the others take it from the certificate")
	}
	if e.Fingerprint != "" {
		if r.fingerprint, err = parseFingerprint(e.Fingerprint); err != nil {
			return r, fmt.Errorf("fingerprint: %w", err)
		}
	}
	return r, nil
}

// certRules returns the entries as rules, in the order of their search.
func certRules(entries []certEntry) ([]certRule, error) {
	var rules []certRule
	for i := range entries {
		r, err := entries[i].rule()
		if err != nil {
			return nil, fmt.Errorf("cert-to-name %d: %w", entries[i].ID, err)
		}
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b certRule) int { return cmp.Compare(a.id, b.id) })
	return rules, nil
}
