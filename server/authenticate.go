package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// mac stands for a (user, stored hash, password) triple in memory.
type mac [sha256.Size]byte

// flightKey names one guess from one source.
type flightKey struct {
	mac    mac
	source netip.Prefix
}

// flight is one bcrypt verification that equal attempts wait for together, so
// that a thousand sessions of one client cost one hash and one attempt.
type flight struct {
	done   chan struct{} // closed by the leader, after result
	result error
	gaveUp bool // the leader's context ended before an answer
}

// bcryptSlots leaves half of the processors to those who are in.
func bcryptSlots() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// Authenticate checks a password and returns who it is. source is the peer's
// address (SourceOf), which pays for failures. The error is
// ErrUnauthenticated, ErrThrottled, or that of ctx.
//
// What holds:
//   - The first success costs one bcrypt; it is remembered as a MAC under a key
//     that lives only in this process, so that the next costs microseconds.
//   - A guess is paid for before its outcome can be seen, remembered MACs
//     included; parallel guesses gain nothing.
//   - Unknown user, wrong password and user without a password take the same
//     path and the same work.
//   - A source without attempts left is refused even with the right password.
func (u *Users) Authenticate(ctx context.Context, name, password string, source netip.AddrPort) (*Identity, error) {
	accts := u.accounts.Load()
	acct := accts.byName[name]
	sum := u.sum(name, acct, password)
	key := flightKey{mac: sum, source: sourceKey(source.Addr())}
	for {
		known := acct.remembers(&sum)
		f, leads, err := u.enter(key, known)
		if err != nil {
			return nil, err
		}
		if f == nil {
			return acct.identity(name, source), nil
		}
		if leads {
			u.lead(ctx, f, key, func() error { return accts.verify(acct, password, &sum) })
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		switch {
		case f.gaveUp && !leads:
			continue // it was the leader's context, not ours
		case f.gaveUp:
			return nil, context.Cause(ctx)
		case f.result != nil:
			return nil, f.result
		}
		return acct.identity(name, source), nil
	}
}

// AuthenticateKey checks a public key against the user's authorized keys. The
// SSH transport proves the possession of the private half. Keys cannot be
// guessed, so failures are not counted. The error is ErrUnauthenticated.
func (u *Users) AuthenticateKey(name string, key ssh.PublicKey, source netip.AddrPort) (*Identity, error) {
	acct := u.accounts.Load().byName[name]
	wire := key.Marshal()
	if acct == nil || !slices.ContainsFunc(acct.keys, func(k []byte) bool { return bytes.Equal(k, wire) }) {
		return nil, ErrUnauthenticated
	}
	return acct.identity(name, source), nil
}

// enter decides in one step, so that no outcome is seen unpaid: a nil flight
// means the remembered password matched; else the caller leads or joins one.
func (u *Users) enter(key flightKey, known bool) (f *flight, leads bool, err error) {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.flights[key]; f != nil && !known {
		return f, false, nil
	}
	if !u.failed.allowed(key.source, now) {
		return nil, false, ErrThrottled
	}
	if known {
		return nil, false, nil
	}
	u.failed.charge(key.source, now)
	f = &flight{done: make(chan struct{})}
	u.flights[key] = f
	return f, true, nil
}

// lead waits for a slot, runs verify, settles the charge and lets the others go.
func (u *Users) lead(ctx context.Context, f *flight, key flightKey, verify func() error) {
	select {
	case u.slots <- struct{}{}:
		f.result = verify()
		<-u.slots
	case <-ctx.Done():
		f.gaveUp = true
	}
	u.mu.Lock()
	if f.result == nil {
		u.failed.refund(key.source, time.Now())
	}
	delete(u.flights, key)
	u.mu.Unlock()
	close(f.done)
}

// verify spends the time of a comparison at the highest cost in use, whoever
// is asked for: a cheaper hash that fails is followed by the rest of the work
// (2^c + 2^c + 2^(c+1) + ... + 2^(m-1) = 2^m).
func (accts *accounts) verify(acct *account, password string, sum *mac) error {
	hash, cost := dummyHash(accts.maxCost), accts.maxCost
	if acct != nil && acct.hash != nil {
		hash, cost = acct.hash, acct.cost
	}
	// bcrypt ignores what is behind 72 bytes: nobody's password is that long.
	fits := password != "" && len(password) <= maxPassword
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	if err == nil && fits && acct != nil && acct.hash != nil {
		acct.verified.Store(sum)
		return nil
	}
	for c := cost; c < accts.maxCost; c++ {
		_ = bcrypt.CompareHashAndPassword(dummyHash(c), []byte(password)) // for its time only
	}
	return ErrUnauthenticated
}

// dummyHash is a well-formed hash that no password is known for.
func dummyHash(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$......................%s", cost, "0000000000000000000000000000000")
}

// sum binds the password to the name and to the stored hash.
func (u *Users) sum(name string, acct *account, password string) mac {
	h := hmac.New(sha256.New, u.macKey)
	var hash []byte
	if acct != nil {
		hash = acct.hash
	}
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(name)))
	h.Write(size[:])
	h.Write([]byte(name))
	binary.BigEndian.PutUint64(size[:], uint64(len(hash)))
	h.Write(size[:])
	h.Write(hash)
	h.Write([]byte(password))
	var out mac
	h.Sum(out[:0])
	return out
}

// remembers reports whether this password was verified before.
func (a *account) remembers(sum *mac) bool {
	if a == nil {
		return false
	}
	known := a.verified.Load()
	return known != nil && hmac.Equal(known[:], sum[:])
}

func (a *account) identity(name string, source netip.AddrPort) *Identity {
	return &Identity{User: name, Groups: slices.Clone(a.groups), Source: source}
}
