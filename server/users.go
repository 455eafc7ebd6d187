package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"

	"mooring/internal/fileio"
)

const (
	adminName  = "admin" // user and group of the first start
	usersMode  = 0o600
	bcryptCost = bcrypt.DefaultCost // the file mode and the limiter guard the rest

	passwordLength = 20 // 115 bits
	// passwordAlphabet has none of 0 O 1 l I i L o: a person types it from a screen.
	passwordAlphabet = "ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"
	// maxPassword is what bcrypt looks at; it would ignore anything behind.
	maxPassword = 72
)

// Users is the agent's user file in memory. All methods may be called by any
// goroutine. It prints without its content.
type Users struct {
	path     string
	cost     int    // bcrypt cost of new hashes
	macKey   []byte // random, per process
	accounts atomic.Pointer[accounts]
	slots    chan struct{} // held while a bcrypt hash is computed

	writeMu sync.Mutex // one change of file and accounts at a time

	mu      sync.Mutex // guards failed and flights
	failed  limiter
	flights map[flightKey]*flight
}

// accounts is one immutable version of the file.
type accounts struct {
	file      userFile // as it was read
	byName    map[string]*account
	certRules []certRule // of cert-to-name, in the order of their search
	maxCost   int        // highest bcrypt cost in use
}

// account is a user ready to be checked. A change of the file makes new
// accounts, and with that forgets what was verified.
type account struct {
	hash     []byte // nil: no password login
	cost     int    // of hash
	groups   []string
	keys     [][]byte // wire form
	verified atomic.Pointer[mac]
}

// OpenUsers reads the user file at path. A missing file is an empty one. A
// file that others may read is ErrExposedFile.
func OpenUsers(path string) (*Users, error) { return openUsersAt(path, bcryptCost) }

// openUsersAt is OpenUsers with the cost of new hashes; tests take a cheap one.
func openUsersAt(path string, cost int) (*Users, error) {
	u := &Users{
		path:    path,
		cost:    cost,
		macKey:  make([]byte, 32),
		slots:   make(chan struct{}, bcryptSlots()),
		failed:  newLimiter(),
		flights: make(map[flightKey]*flight),
	}
	rand.Read(u.macKey) // never fails (crypto/rand)
	if err := u.Reload(); err != nil {
		return nil, err
	}
	return u, nil
}

// Reload reads the file again, for the agent's SIGHUP. When it is refused, the
// users stay as they were. Whoever is logged in stays so; the next
// authentication sees the new users.
func (u *Users) Reload() error {
	u.writeMu.Lock()
	defer u.writeMu.Unlock()
	data, err := fileio.ReadSecret(u.path, ErrExposedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read users: %w", err)
	}
	file, err := decodeUsers(data)
	if err != nil {
		return fmt.Errorf("read users %s: %w", u.path, err)
	}
	if err := u.publish(file); err != nil {
		return fmt.Errorf("read users %s: %w", u.path, err)
	}
	return nil
}

// HashPassword returns what the user file has for a password. An empty one, and
// one of which bcrypt would ignore the end, is refused.
func HashPassword(password string) (string, error) { return hashPassword(password, bcryptCost) }

func hashPassword(password string, cost int) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password is longer than %d bytes", maxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return string(hash), err
}

// EnsureAdmin creates the user admin in the group admin when there is no user
// at all, as on the first start. Without a password it generates one and
// returns it, the only time that it is seen; a given password is not
// returned.
func (u *Users) EnsureAdmin(password string) (generated string, created bool, err error) {
	u.writeMu.Lock()
	defer u.writeMu.Unlock()
	file := u.accounts.Load().file
	if len(file.Users) > 0 {
		return "", false, nil
	}
	if password == "" {
		generated = generatePassword()
		password = generated
	}
	hash, err := hashPassword(password, u.cost)
	if err != nil {
		return "", false, fmt.Errorf("create user %s: %w", adminName, err)
	}
	file.Users = []userEntry{{Name: adminName, Hash: hash, Groups: []string{adminName}}}
	if err := u.save(file); err != nil {
		return "", false, fmt.Errorf("create user %s: %w", adminName, err)
	}
	return generated, true, nil
}

// save makes the file durable, then visible. Under writeMu.
func (u *Users) save(file userFile) error {
	data, err := encodeUsers(file)
	if err != nil {
		return err
	}
	if err := fileio.WriteAtomic(u.path, data, usersMode); err != nil {
		return fmt.Errorf("write users %s: %w", u.path, err)
	}
	return u.publish(file)
}

// publish makes a checked file the one that authentication sees.
func (u *Users) publish(file userFile) error {
	rules, err := certRules(file.CertToName)
	if err != nil {
		return err
	}
	next := &accounts{
		file:      file,
		byName:    make(map[string]*account, len(file.Users)),
		certRules: rules,
		maxCost:   u.cost,
	}
	for _, e := range file.Users {
		a := &account{groups: e.Groups}
		if e.Hash != "" {
			a.hash = []byte(e.Hash)
			cost, err := bcrypt.Cost(a.hash)
			if err != nil {
				return fmt.Errorf("user %s: %w", e.Name, err)
			}
			a.cost, next.maxCost = cost, max(next.maxCost, cost)
		}
		for _, line := range e.Keys {
			key, err := parseKey(line)
			if err != nil {
				return fmt.Errorf("user %s: %w", e.Name, err)
			}
			a.keys = append(a.keys, key.Marshal())
		}
		next.byName[e.Name] = a
	}
	u.accounts.Store(next)
	return nil
}

// String names the file and the number of users, nothing else.
func (u *Users) String() string {
	return fmt.Sprintf("users(%s, %d)", u.path, len(u.accounts.Load().file.Users))
}

// GoString keeps %#v from printing hashes and keys.
func (u *Users) GoString() string { return u.String() }

// LogValue implements slog.LogValuer and redacts like String.
func (u *Users) LogValue() slog.Value { return slog.StringValue(u.String()) }

// generatePassword draws each character without bias.
func generatePassword() string {
	const fair = 256 - 256%len(passwordAlphabet)
	out := make([]byte, 0, passwordLength)
	var b [1]byte
	for len(out) < passwordLength {
		rand.Read(b[:])
		if int(b[0]) < fair {
			out = append(out, passwordAlphabet[int(b[0])%len(passwordAlphabet)])
		}
	}
	return string(out)
}
