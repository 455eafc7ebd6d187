package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// netconf.md 62: rules in ascending order of id, the first that fits and gives
// a name wins.
func TestAuthenticateCertificate(t *testing.T) {
	root := (*issued)(nil).issue(t, "root", asAuthority)
	middle := root.issue(t, "middle", asAuthority)
	other := (*issued)(nil).issue(t, "other", asAuthority)
	ann := middle.issue(t, "ann", func(c *x509.Certificate) {
		c.DNSNames = []string{"NMS.Example.COM"}
		c.EmailAddresses = []string{"Ann.Smith@NMS.Example.COM"}
		c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7), net.ParseIP("2001:DB8::ABCD")}
	})
	sixth := middle.issue(t, "six", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:DB8::ABCD")} })
	mail := middle.issue(t, "", func(c *x509.Certificate) { c.EmailAddresses = []string{"Bob@Example.COM"} })
	bare := middle.issue(t, "bare", nil)
	nasty := middle.issue(t, "ann\nroot", nil)
	rule := func(id int, kind mapType, more string) string {
		return fmt.Sprintf("- {id: %d, map-type: %s%s}\n", id, kind, more)
	}
	of := func(hash byte, i *issued) string {
		sum := append([]byte{hash}, hashes[hash].sum(i.cert.Raw)...)
		return fmt.Sprintf(", fingerprint: '%s'", strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"))
	}
	named := func(name string) string { return ", name: " + name }

	tests := []struct {
		name   string
		client *issued
		rules  string
		want   string // "": refused
	}{
		{"specified", ann, rule(1, mapSpecified, named("ops")), "ops"},
		{"rfc822 name, its host in lower case", ann, rule(1, mapRFC822Name, ""), "Ann.Smith@nms.example.com"},
		{"dns name in lower case", ann, rule(1, mapDNSName, ""), "nms.example.com"},
		{"IPv4 address", ann, rule(1, mapIPAddress, ""), "192.0.2.7"},
		{"IPv6 address", sixth, rule(1, mapIPAddress, ""), "20010db800000000000000000000abcd"},
		{"any name", mail, rule(1, mapAnySAN, ""), "Bob@example.com"},
		{"any name, none there", bare, rule(1, mapAnySAN, ""), ""},
		{"common name", ann, rule(1, mapCommonName, ""), "ann"},
		{"no common name", mail, rule(1, mapCommonName, ""), ""},
		{"common name that could not stand in a log", nasty, rule(1, mapCommonName, ""), ""},
		{"ascending ids", ann, rule(20, mapSpecified, named("late")) + rule(3, mapSpecified, named("early")), "early"},
		{"a rule without a name for it is passed", bare, rule(1, mapDNSName, "") + rule(2, mapCommonName, ""), "bare"},
		{"md5 of the client", ann, rule(1, mapSpecified, named("ops")+of(1, ann)), "ops"},
		{"sha1 of the client", ann, rule(1, mapSpecified, named("ops")+of(2, ann)), "ops"},
		{"sha224 of the client", ann, rule(1, mapSpecified, named("ops")+of(3, ann)), "ops"},
		{"sha256 of the client", ann, rule(1, mapSpecified, named("ops")+of(4, ann)), "ops"},
		{"sha384 of the client", ann, rule(1, mapSpecified, named("ops")+of(5, ann)), "ops"},
		{"sha512 of the client", ann, rule(1, mapSpecified, named("ops")+of(6, ann)), "ops"},
		{"an authority between", ann, rule(1, mapCommonName, of(4, middle)), "ann"},
		{"the root", ann, rule(1, mapCommonName, of(4, root)), "ann"},
		{"another authority", ann, rule(1, mapCommonName, of(4, other)), ""},
		{"another certificate first", ann, rule(1, mapSpecified, named("no")+of(4, bare)) + rule(2, mapCommonName, of(6, root)), "ann"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := openUsers(t, "users:\n- {name: ann, groups: [ops, lab]}\ncert-to-name:\n"+tt.rules)
			id, err := u.AuthenticateCertificate([][]*x509.Certificate{tt.client.chain()}, client)
			if tt.want == "" {
				if !errors.Is(err, ErrUnauthenticated) || errors.Is(err, ErrNoCertToName) || id != nil {
					t.Fatalf("identity %v, error %v", id, err)
				}
				if !strings.Contains(err.Error(), Fingerprint(tt.client.cert)) {
					t.Errorf("the refusal does not name the certificate: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var groups []string
			if tt.want == "ann" {
				groups = []string{"ops", "lab"}
			}
			if id.User != tt.want || !slices.Equal(id.Groups, groups) || id.Source != client {
				t.Errorf("%v with groups %v, want %s with %v", id, id.Groups, tt.want, groups)
			}
		})
	}
}

// The first alternative name of any kind is that of the certificate's order.
func TestAlternativeNamesKeepTheirOrder(t *testing.T) {
	c := (*issued)(nil).issue(t, "x", func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses, c.IPAddresses = []string{"a", "B"}, []string{"c@D"}, []net.IP{net.IPv4(1, 2, 3, 4)}
	})
	want := []alternativeName{{mapDNSName, "a"}, {mapDNSName, "b"}, {mapRFC822Name, "c@d"}, {mapIPAddress, "1.2.3.4"}} // as x509 writes them
	if got := alternativeNames(c.cert); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCertificatesWithoutAList(t *testing.T) {
	c := (*issued)(nil).issue(t, "ann", nil)
	u := openUsers(t, "users:\n- {name: ann, groups: [ops]}\n")
	if _, err := u.AuthenticateCertificate([][]*x509.Certificate{c.chain()}, client); !errors.Is(err, ErrNoCertToName) {
		t.Errorf("error %v", err)
	}
	if id := u.Identify("ann", client); id.User != "ann" || !slices.Equal(id.Groups, []string{"ops"}) {
		t.Errorf("%v %v", id, id.Groups)
	}
	if id := u.Identify("eve", client); id.User != "eve" || id.Groups != nil {
		t.Errorf("%v %v", id, id.Groups)
	}
	u = openUsers(t, "cert-to-name: [{id: 1, map-type: common-name}]\n")
	if _, err := u.AuthenticateCertificate(nil, client); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("without a certificate: %v", err)
	}
	// A new admin leaves the list in the file.
	if _, created, err := u.EnsureAdmin("x"); !created || err != nil {
		t.Fatal(created, err)
	}
	if id, err := reopen(t, u.path).AuthenticateCertificate([][]*x509.Certificate{c.chain()}, client); err != nil || id.User != "ann" {
		t.Errorf("after the first start: %v, %v", id, err)
	}
}

// What openssl prints, with the octet of the hash before it, is a fingerprint.
func TestFingerprintsOfOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing: the fingerprints are not compared")
	}
	c := (*issued)(nil).issue(t, "ann", nil)
	path := filepath.Join(t.TempDir(), "ann.crt")
	write(t, path, certPEM(c.cert), 0o644)
	for octet, hash := range map[string]string{"01": "md5", "02": "sha1", "03": "sha224", "04": "sha256", "05": "sha384", "06": "sha512"} {
		out, err := exec.Command(openssl, "x509", "-noout", "-fingerprint", "-"+hash, "-in", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, print, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
		u := openUsers(t, fmt.Sprintf("cert-to-name: [{id: 1, fingerprint: '%s:%s', map-type: common-name}]\n", octet, print))
		if id, err := u.AuthenticateCertificate([][]*x509.Certificate{c.chain()}, client); err != nil || id.User != "ann" {
			t.Errorf("%s: %v, %v", hash, id, err)
		}
	}
}
