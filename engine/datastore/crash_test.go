package datastore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child runs this test binary as a child process that works on dir.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	return cmd
}

// commitForEver commits, and prints each revision once it is answered. A
// commit writes its revision into two peers that are far apart, and makes or
// deletes a third. The journal is short, so that kills also meet checkpoints.
func commitForEver(dir string) error {
	s, err := Open(Options{Dir: dir, Log: silent()})
	if err != nil {
		return err
	}
	filesOf(s).journal.size = journalReserve + 4*journalBlock
	for {
		txn := s.Begin()
		revision := txn.Base().Revision() + 1
		addBase(txn)
		text := fmt.Sprint(revision)
		describe(txn, peerKey(0), text)
		describe(txn, peerKey(1<<16), text)
		if third := peerKey(int(1 + revision/2%500)); revision%2 == 0 {
			txn.Delete(third)
		} else {
			describe(txn, third, text)
		}
		snap, err := s.Persist(txn, Meta{CommitID: text, Changes: []string{text}})
		if err != nil {
			return err
		}
		s.Publish(snap)
		if _, err := fmt.Println(revision); err != nil {
			return err
		}
	}
}

// kill -9 at any moment loses no answered commit and leaves no half of one
// (netconf.md 61).
func TestKillLosesNothing(t *testing.T) {
	const rounds = 100
	dir := t.TempDir()
	answered, replays := uint64(0), 0
	var log bytes.Buffer
	for round := range rounds {
		last := killAfter(t, dir, time.Duration(rand.Int64N(int64(30*time.Millisecond))))
		answered = max(answered, last)
		log.Reset()
		s, err := Open(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if !strings.Contains(log.String(), " replayed=0 ") {
			replays++
		}
		snap := s.Running()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		revision := snap.Revision()
		if revision < answered || revision > answered+1 {
			t.Fatalf("round %d: revision %d after the kill, %d was answered last", round, revision, answered)
		}
		if revision == 0 {
			continue
		}
		want := fmt.Sprint(revision)
		if a, b := described(snap, peerKey(0)), described(snap, peerKey(1<<16)); a != want || b != want {
			t.Fatalf("round %d: revision %d has half a commit: %s and %s", round, revision, a, b)
		}
		if h := s.History(); h[len(h)-1].Revision != revision || h[len(h)-1].CommitID != want {
			t.Fatalf("round %d: history ends with %+v, want revision %d", round, h[len(h)-1], revision)
		}
		answered = revision
	}
	if replays < rounds/4 || replays == rounds {
		t.Errorf("%d of %d starts replayed a journal: the test does not meet both", replays, rounds)
	}
	if answered < rounds {
		t.Errorf("only %d commits were answered in %d rounds: the test kills too early", answered, rounds)
	}
}

// killAfter lets a child commit, kills it some time after its first commit, and
// returns the last revision that it answered.
func killAfter(t *testing.T, dir string, wait time.Duration) uint64 {
	t.Helper()
	cmd := child(t, "commit", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	last := uint64(0)
	var timer *time.Timer
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // a line without its end was not answered
			break
		}
		if last, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatal(err)
		}
		if timer == nil {
			timer = time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("child ended by itself: %v\n%s", err, &stderr)
	}
	return last
}

// commitOnAFullDisk fills the file up to a limit that stands for a full disk,
// and then has more room.
func commitOnAFullDisk(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // the write then fails as on a full disk
	s, err := Open(Options{Dir: dir, Log: silent()})
	if err != nil {
		return err
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	limited := was
	limited.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		return err
	}
	txn := s.Begin()
	addBase(txn)
	text := strings.Repeat("x", 200)
	for i := range 2000 {
		describe(txn, peerKey(i), text)
	}
	if _, err = s.Persist(txn, Meta{CommitID: "too large"}); err == nil {
		return errors.New("Persist says OK to a commit that does not fit")
	}
	fmt.Println("refused:", err)
	if got := s.Running(); got.Revision() != 0 || got.Len() != 3 {
		return fmt.Errorf("running has revision %d and %d records after the refusal", got.Revision(), got.Len())
	}
	txn.Discard()
	small := s.Begin()
	addBase(small)
	describe(small, peerKey(1), "small")
	snap, err := s.Persist(small, Meta{CommitID: "small"})
	if err != nil {
		return fmt.Errorf("a commit that fits, after the refusal: %w", err)
	}
	s.Publish(snap)
	return s.Close()
}

// A full disk refuses the commit and nothing else (netconf.md 55).
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	out, err := child(t, "full", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "refused: write revision 1: ") {
		t.Errorf("the error does not say what failed: %s", out)
	}
	snap := open(t, dir).Running()
	if snap.Revision() != 1 || snap.Len() != 6 || described(snap, peerKey(1)) != "small" {
		t.Errorf("revision %d with %d records after a restart, want 1 with 6", snap.Revision(), snap.Len())
	}
}

// A full disk does not keep an agent from starting after a crash, and takes
// commits as long as the journal has room.
func TestStartOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "journaled") })
	dir = copyState(t, dir)
	fs := newFaults()
	fs.transact = func(func() error) error { return syscall.ENOSPC }
	full := openOn(t, dir, fs)
	if got := full.Running(); got.Revision() != 1 || described(got, peerKey(1)) != "journaled" {
		t.Errorf("revision %d", got.Revision())
	}
	commit(t, full, func(txn *Txn) { describe(txn, peerKey(1), "later") })
	if err := full.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	if snap := open(t, dir).Running(); snap.Revision() != 2 || described(snap, peerKey(1)) != "later" {
		t.Errorf("revision %d with %q after a restart", snap.Revision(), described(snap, peerKey(1)))
	}
}
