package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/ssh"
)

const (
	testKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIiAhI9vFIyTv5xtXkZ9LXvm9Iw3rIrHRnJNrHC5mYQ0"
	testHash = "$2a$04$......................0000000000000000000000000000000"
)

func TestDecodeUsers(t *testing.T) {
	tests := []struct {
		name, text string
		want       []userEntry
		wantErr    string
	}{
		{name: "empty file"},
		{name: "only a comment", text: "# none\n"},
		{name: "no users", text: "users:\n"},
		{
			name: "all keys", text: "users:\n- name: ann\n  password-hash: " + testHash + "\n  groups: [admin, ops]\n  authorized-keys:\n  - " + testKey + " ann@host\n- name: bob\n",
			want: []userEntry{{Name: "ann", Hash: testHash, Groups: []string{"admin", "ops"}, Keys: []string{testKey + " ann@host"}}, {Name: "bob"}},
		},
		{name: "unknown key", text: "users:\n- name: ann\n  colour: red\n", wantErr: `line 3: unknown key "colour", known are name, password-hash, groups, authorized-keys`},
		{name: "unknown top key", text: "user: []\n", wantErr: `line 1: unknown key "user", known are users, cert-to-name`},
		{name: "cert-to-name without an id", text: "cert-to-name:\n- map-type: common-name\n", wantErr: "line 2: entry of cert-to-name without id"},
		{name: "cert-to-name without a type", text: "cert-to-name:\n- id: 1\n", wantErr: "line 2: entry of cert-to-name without map-type"},
		{name: "cert-to-name: id", text: "cert-to-name:\n- id: one\n  map-type: common-name\n", wantErr: "line 2: id must be a number"},
		{name: "cert-to-name: negative id", text: "cert-to-name:\n- id: -1\n  map-type: common-name\n", wantErr: "line 2: id must be a number"},
		{name: "cert-to-name: id twice", text: "cert-to-name:\n- {id: 1, map-type: common-name}\n- {id: 1, map-type: san-any}\n", wantErr: "line 3: the id 1 is already on line 2"},
		{name: "cert-to-name: type", text: "cert-to-name:\n- {id: 1, map-type: x509c2n}\n", wantErr: "line 2: cert-to-name 1: map-type is not known: want one of"},
		{name: "cert-to-name: no name", text: "cert-to-name:\n- {id: 1, map-type: specified}\n", wantErr: "line 2: cert-to-name 1: map-type specified needs a name"},
		{name: "cert-to-name: name too many", text: "cert-to-name:\n- {id: 1, map-type: san-any, name: ann}\n", wantErr: "name is for map-type specified only"},
		{name: "cert-to-name: fingerprint empty", text: "cert-to-name:\n- {id: 1, map-type: san-any, fingerprint: ''}\n", wantErr: "line 2: fingerprint is empty"},
		{name: "cert-to-name: fingerprint of no hash", text: "cert-to-name:\n- {id: 1, map-type: san-any, fingerprint: 'AA:BB'}\n", wantErr: "the first octet AA names no hash"},
		{name: "cert-to-name: fingerprint too short", text: "cert-to-name:\n- {id: 1, map-type: san-any, fingerprint: '04:BB'}\n", wantErr: "1 octets follow the octet 04 of the hash, want 32"},
		{name: "cert-to-name: fingerprint without colons", text: "cert-to-name:\n- {id: 1, map-type: san-any, fingerprint: '04BB'}\n", wantErr: "hexadecimal octets with colons"},
		{name: "key twice", text: "users:\n- name: ann\n  name: bob\n", wantErr: "line 3: key name appears twice"},
		{name: "user twice", text: "users:\n- name: ann\n- name: ann\n", wantErr: "line 3: user ann is already defined on line 2"},
		{name: "no name", text: "users:\n- groups: []\n", wantErr: "line 2: user without name"},
		{name: "name with a space", text: "users:\n- name: a b\n", wantErr: "line 2: name must be"},
		{name: "name with a line break", text: "users:\n- name: \"a\\nb\"\n", wantErr: "line 2: name must be"},
		{name: "name is a number", text: "users:\n- name: 12\n", wantErr: "line 2: name must be text"},
		{name: "group", text: "users:\n- name: ann\n  groups:\n  - ops\n  - '*'\n", wantErr: "line 5: groups: a group must be"},
		{name: "groups not a list", text: "users:\n- name: ann\n  groups: ops\n", wantErr: "line 3: groups must be a list"},
		{name: "users not a list", text: "users: ann\n", wantErr: "line 1: users must be a list"},
		{name: "user not a mapping", text: "users:\n- ann\n", wantErr: "line 2: want a mapping"},
		{name: "plain password", text: "users:\n- name: ann\n  password-hash: hunter2\n", wantErr: "line 3: password-hash of ann: not a bcrypt hash"},
		{name: "hash outside the alphabet", text: "users:\n- name: ann\n  password-hash: '" + strings.Replace(testHash, "000", "0%0", 1) + "'\n", wantErr: "line 3: password-hash of ann: not a bcrypt hash"},
		{name: "hash too dear", text: "users:\n- name: ann\n  password-hash: " + strings.Replace(testHash, "$04$", "$16$", 1) + "\n", wantErr: "bcrypt cost 16 is above 15"},
		{name: "key broken", text: "users:\n- name: ann\n  authorized-keys:\n  - ssh-ed25519 hunter2\n", wantErr: "line 4: authorized-keys: not an OpenSSH public key"},
		{name: "key with options", text: "users:\n- name: ann\n  authorized-keys:\n  - restrict " + testKey + "\n", wantErr: "line 4: authorized-keys: options before a key"},
		{name: "two keys in one", text: "users:\n- name: ann\n  authorized-keys:\n  - |\n    " + testKey + "\n    " + testKey + "\n", wantErr: "more than one key"},
		{name: "certificate", text: "users:\n- name: ann\n  authorized-keys:\n  - " + testCertificate(t) + "\n", wantErr: "certificates are not supported"},
		{name: "alias", text: "users:\n- &a\n  name: ann\n- *a\n", wantErr: "line 4: want a mapping"},
		{name: "unknown alias quotes nothing", text: "users:\n- name: ann\n  password-hash: *hunter2\n", wantErr: "a value begins with * or &"},
		{name: "merge key", text: "users:\n- <<: {name: ann}\n", wantErr: `line 2: unknown key "<<"`},
		{name: "second document", text: "users: []\n---\nusers: []\n", wantErr: "more than one YAML document"},
		{name: "not YAML", text: "users: [\n", wantErr: "line "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeUsers([]byte(tt.text))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error quotes a value: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Users)+len(tt.want) > 0 && !cmp.Equal(tt.want, got.Users) {
				t.Error(cmp.Diff(tt.want, got.Users))
			}
		})
	}
}

func testCertificate(t *testing.T) string {
	t.Helper()
	_, ca, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(ca)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(cert)))
}

// FuzzUsers: the decoder never panics, its refusals are errors, and what it
// accepts survives a save and can be used.
func FuzzUsers(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decodeUsers(data)
		if err != nil {
			return
		}
		text, err := encodeUsers(file)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		again, err := decodeUsers(text)
		if err != nil {
			t.Fatalf("decode what was encoded: %v\n%s", err, text)
		}
		if d := cmp.Diff(file, again, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("save changed the users: %s", d)
		}
		if err := new(Users).publish(file); err != nil {
			t.Errorf("publish what was decoded: %v", err)
		}
	})
}
