package server

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

func TestEnsureAdmin(t *testing.T) {
	tests := []struct {
		name, file, password string
		created, generated   bool
		wantErr              string
	}{
		{name: "first start generates", created: true, generated: true},
		{name: "first start with a password", password: "from-the-environment", created: true},
		{name: "empty list is a first start", file: "users: []\n", created: true, generated: true},
		{name: "users exist", file: "users:\n- name: ann\n", password: "ignored-then"},
		{name: "password that bcrypt would cut", password: strings.Repeat("x", 73), wantErr: "longer than 72 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "users.yaml")
			if tt.file != "" {
				write(t, path, tt.file, 0o600)
			}
			u := reopen(t, path)
			generated, created, err := u.EnsureAdmin(tt.password)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), tt.password) {
					t.Fatalf("error %v, want %q and no password in it", err, tt.wantErr)
				}
				wantNoLeftovers(t, dir)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if created != tt.created || (generated != "") != tt.generated {
				t.Fatalf("created %v generated %v, want %v %v", created, generated != "", tt.created, tt.generated)
			}
			if !created {
				data, _ := os.ReadFile(path)
				if string(data) != tt.file {
					t.Errorf("file was rewritten: %s", data)
				}
				return
			}
			wantMode(t, path, 0o600)
			wantNoLeftovers(t, dir, "users.yaml")
			password := tt.password + generated
			for _, who := range []*Users{u, reopen(t, path)} {
				id, err := who.Authenticate(t.Context(), "admin", password, client)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"admin"}, id.Groups); diff != "" {
					t.Error(diff)
				}
			}
			if _, again, err := u.EnsureAdmin("other"); again || err != nil {
				t.Errorf("second call: created %v, error %v", again, err)
			}
		})
	}
}

// TestCost: hashes of the agent are not the tests' cheap ones.
func TestCost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	u, err := OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := u.EnsureAdmin("a-password"); err != nil {
		t.Fatal(err)
	}
	if cost := u.accounts.Load().byName["admin"].cost; cost < 10 {
		t.Errorf("bcrypt cost %d", cost)
	}
}

func TestEnsureAdminWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "users.yaml")
	u := reopen(t, path)
	_, created, err := u.EnsureAdmin("a-password")
	if created || err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("created %v, error %v; want an error with the path", created, err)
	}
	if _, err := u.Authenticate(t.Context(), "admin", "a-password", client); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a user that is not on disk got in: %v", err)
	}
}

func TestGeneratePassword(t *testing.T) {
	seen := make(map[rune]bool)
	for range 200 {
		p := generatePassword()
		if len(p) != 20 {
			t.Fatalf("length %d, want 20", len(p))
		}
		for _, r := range p {
			seen[r] = true
		}
	}
	for _, r := range passwordAlphabet {
		if !seen[r] {
			t.Errorf("%q never drawn in 4000 characters", r)
		}
		delete(seen, r)
	}
	if len(seen) > 0 {
		t.Errorf("characters outside the alphabet: %v", seen)
	}
}

func TestOpenUsersMode(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o400, 0o640, 0o604, 0o620, 0o644} {
		t.Run(fmt.Sprintf("%04o", mode), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.yaml")
			write(t, path, "users: []\n", mode)
			_, err := OpenUsers(path)
			if mode&0o077 == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrExposedFile) || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("error %v, want ErrExposedFile that says chmod 600", err)
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		if _, err := OpenUsers(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("error %v", err)
		}
	})
}

func TestReload(t *testing.T) {
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+cheapHash(t, "old")+"\n")
	login := func(password string) error {
		_, err := u.Authenticate(t.Context(), "ann", password, client)
		return err
	}
	if err := login("old"); err != nil {
		t.Fatal(err)
	}
	// A broken file changes nothing, not even what is remembered.
	write(t, u.path, "users: [", 0o600)
	if err := u.Reload(); err == nil || !strings.Contains(err.Error(), u.path) {
		t.Errorf("broken file: error %v, want one with the path", err)
	}
	if err := login("old"); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}
	// A new hash: the remembered password must not get in any more.
	write(t, u.path, "users:\n- name: ann\n  groups: [ops]\n  password-hash: "+cheapHash(t, "new")+"\n", 0o600)
	if err := u.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := login("old"); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("old password after the change: %v", err)
	}
	if err := login("new"); err != nil {
		t.Errorf("new password: %v", err)
	}
	// A removed user, though remembered.
	write(t, u.path, "users: []\n", 0o600)
	if err := u.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := login("new"); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("removed user: %v", err)
	}
}

func TestUsersPrintNoSecrets(t *testing.T) {
	hash := cheapHash(t, "secret-password")
	u := openUsers(t, "users:\n- name: ann\n  password-hash: "+hash+"\n")
	if _, err := u.Authenticate(t.Context(), "ann", "secret-password", client); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "users", u)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "users", u)
	text := fmt.Sprintf("%v %+v %#v %s", u, u, u, u) + log.String()
	for _, secret := range []string{hash, hash[7:], "secret-password", fmt.Sprint(u.macKey), fmt.Sprintf("%#v", u.macKey)} {
		if strings.Contains(text, secret) {
			t.Errorf("printed a secret: %s", text)
		}
	}
	if !strings.Contains(text, "users("+u.path+", 1)") {
		t.Errorf("printed nothing useful: %s", text)
	}
}

func TestDummyHashDoesTheWork(t *testing.T) {
	for cost := bcrypt.MinCost; cost <= maxCost; cost++ {
		if err := checkHash(string(dummyHash(cost))); err != nil {
			t.Errorf("cost %d: %v", cost, err)
		}
	}
	// Anything but a mismatch would mean that bcrypt returned before its rounds.
	err := bcrypt.CompareHashAndPassword(dummyHash(bcrypt.MinCost), []byte("x"))
	if !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		t.Errorf("error %v", err)
	}
}
