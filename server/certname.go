package server

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mapType says how an entry of cert-to-name makes a name of a certificate (the
// identities of ietf-x509-cert-to-name, RFC 7407 3).
type mapType string

// The map types.
const (
	mapSpecified  mapType = "specified"
	mapRFC822Name mapType = "san-rfc822-name"
	mapDNSName    mapType = "san-dns-name"
	mapIPAddress  mapType = "san-ip-address"
	mapAnySAN     mapType = "san-any"
	mapCommonName mapType = "common-name"
)

var mapTypes = []mapType{mapSpecified, mapRFC822Name, mapDNSName, mapIPAddress, mapAnySAN, mapCommonName}

// certRule is an entry of cert-to-name: which certificates it is for, and whom
// they name.
type certRule struct {
	id          uint32
	fingerprint []byte // with the octet of its hash before it; nil: any certificate
	mapType     mapType
	name        string // of mapSpecified
}

// hashes are the fingerprints by their first octet (RFC 5246 7.4.1.4.1). The
// weak ones do no harm: they choose a rule for a chain that was verified.
var hashes = map[byte]struct {
	size int
	sum  func([]byte) []byte
}{
	1: {md5.Size, func(b []byte) []byte { s := md5.Sum(b); return s[:] }},
	2: {sha1.Size, func(b []byte) []byte { s := sha1.Sum(b); return s[:] }},
	3: {sha256.Size224, func(b []byte) []byte { s := sha256.Sum224(b); return s[:] }},
	4: {sha256.Size, func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }},
	5: {sha512.Size384, func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }},
	6: {sha512.Size, func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }},
}

// parseFingerprint reads a tls-fingerprint: hexadecimal octets with colons
// between, of which the first names the hash.
func parseFingerprint(text string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(raw) == 0 || len(text) != 3*len(raw)-1 {
		return nil, errors.New("want hexadecimal octets with colons between, the first of which names the hash")
	}
	h, known := hashes[raw[0]]
	if !known {
		return nil, fmt.Errorf("the first octet %02X names no hash: want 01 (md5), 02 (sha1), 03 (sha224), 04 (sha256), 05 (sha384) or 06 (sha512), "+
			"and then the fingerprint", raw[0])
	}
	if len(raw) != 1+h.size {
		return nil, fmt.Errorf("%d octets follow the octet %02X of the hash, want %d", len(raw)-1, raw[0], h.size)
	}
	return raw, nil
}

// AuthenticateCertificate returns whom a client certificate names, by the list
// cert-to-name of the user file (RFC 7589 7): the first rule in ascending order
// of id that fits a certificate of a chain and gives a name. chains are the
// verified ones, the client first. The groups are those of the user of that
// name, if the file has one. The error is ErrNoCertToName where the file has no
// list, else ErrUnauthenticated.
func (u *Users) AuthenticateCertificate(chains [][]*x509.Certificate, source netip.AddrPort) (*Identity, error) {
	accts := u.accounts.Load()
	if len(accts.certRules) == 0 {
		return nil, ErrNoCertToName
	}
	if len(chains) == 0 || len(chains[0]) == 0 {
		return nil, ErrUnauthenticated
	}
	prints := fingerprints{chains: chains, known: map[byte][][]byte{}}
	for i := range accts.certRules {
		r := &accts.certRules[i]
		if r.fingerprint != nil && !prints.have(r.fingerprint) {
			continue
		}
		if user := r.nameOf(chains[0][0]); usable(user) {
			return accts.identity(user, source), nil
		}
	}
	return nil, fmt.Errorf("%w: no entry of cert-to-name gives the certificate of %s with fingerprint %s a name",
		ErrUnauthenticated, name(chains[0][0].Subject), Fingerprint(chains[0][0]))
}

// Identify returns the identity of a user whom the caller has authenticated by
// other means, with the groups of the file.
func (u *Users) Identify(user string, source netip.AddrPort) *Identity {
	return u.accounts.Load().identity(user, source)
}

func (accts *accounts) identity(user string, source netip.AddrPort) *Identity {
	if acct := accts.byName[user]; acct != nil {
		return acct.identity(user, source)
	}
	return &Identity{User: user, Source: source}
}

// fingerprints are those of the certificates of chains: of the client's and of
// the authorities above it. Each hash is computed once.
type fingerprints struct {
	chains [][]*x509.Certificate
	known  map[byte][][]byte // by the octet of the hash
}

// have reports whether a certificate has the fingerprint.
func (f *fingerprints) have(fingerprint []byte) bool {
	hash := fingerprint[0]
	sums, ok := f.known[hash]
	if !ok {
		for _, chain := range f.chains {
			for _, cert := range chain {
				sums = append(sums, hashes[hash].sum(cert.Raw))
			}
		}
		f.known[hash] = sums
	}
	return slices.ContainsFunc(sums, func(sum []byte) bool { return bytes.Equal(sum, fingerprint[1:]) })
}

// nameOf returns the name that the rule makes of a certificate, "" for none.
func (r *certRule) nameOf(cert *x509.Certificate) string {
	switch r.mapType {
	case mapSpecified:
		return r.name
	case mapCommonName:
		return cert.Subject.CommonName
	}
	for _, n := range alternativeNames(cert) {
		if n.kind == r.mapType || r.mapType == mapAnySAN {
			return n.text
		}
	}
	return ""
}

// alternativeName is a subject alternative name as a user's.
type alternativeName struct {
	kind mapType
	text string
}

// oidSubjectAltName is that of the extension (RFC 5280 4.2.1.6).
var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// alternativeNames returns the names that a rule may use, in the order of the
// certificate, which package x509 does not keep.
func alternativeNames(cert *x509.Certificate) []alternativeName {
	var names []alternativeName
	for _, ext := range cert.Extensions {
		if !ext.Id.Equal(oidSubjectAltName) {
			continue
		}
		var seq []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &seq); err != nil || len(rest) > 0 {
			return nil // x509 has refused such a certificate
		}
		for _, v := range seq {
			if n, ok := alternativeNameOf(v); ok {
				names = append(names, n)
			}
		}
	}
	return names
}

// alternativeNameOf reads a GeneralName (RFC 5280 4.2.1.6) as RFC 7407 wants it
// in a user's name.
func alternativeNameOf(v asn1.RawValue) (alternativeName, bool) {
	if v.Class != asn1.ClassContextSpecific {
		return alternativeName{}, false
	}
	switch v.Tag {
	case 1: // rfc822Name: the host is lower case, the mailbox stays
		mailbox, host, ok := cutLast(string(v.Bytes), "@")
		return alternativeName{mapRFC822Name, mailbox + "@" + strings.ToLower(host)}, ok
	case 2:
		return alternativeName{mapDNSName, strings.ToLower(string(v.Bytes))}, true
	case 7:
		ip, ok := netip.AddrFromSlice(v.Bytes)
		if !ok {
			return alternativeName{}, false
		}
		text := ip.String()
		if ip.Is6() { // 32 digits, no colons
			text = hex.EncodeToString(v.Bytes)
		}
		return alternativeName{mapIPAddress, text}, true
	}
	return alternativeName{}, false
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// maxUserName bounds a name that a certificate gives.
const maxUserName = 256

// usable keeps out names that could not stand in a history entry or a rule.
func usable(user string) bool {
	return user != "" && len(user) <= maxUserName && utf8.ValidString(user) &&
		strings.TrimSpace(user) == user && !strings.ContainsFunc(user, func(r rune) bool { return !unicode.IsPrint(r) })
}
