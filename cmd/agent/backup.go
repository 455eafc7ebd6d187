package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"mooring/engine/datastore"
)

// backupSocket is where a running agent gives its backup, in the state
// directory: who may enter that may read the state anyway.
const backupSocket = "backup.sock"

// backupStall is how long a reader of a backup may take for the next part.
const backupStall = 30 * time.Second

// socketIn names a socket of a directory by the open directory, because a path
// of a socket has 108 octets at most.
func socketIn(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), backupSocket)
}

// backupServer gives the state to those who connect, one after the other.
type backupServer struct {
	dir *os.File
	ln  net.Listener
	log *slog.Logger
}

// listenForBackups listens in a state directory that this process has locked.
func listenForBackups(dir string, log *slog.Logger) (*backupServer, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(socketIn(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, d.Close())
	}
	ln, err := net.Listen("unix", socketIn(d))
	if err == nil {
		err = os.Chmod(filepath.Join(dir, backupSocket), 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for backups: %w", err), d.Close())
	}
	return &backupServer{dir: d, ln: ln, log: log}, nil
}

// close ends the listener and its file. It may be called again.
func (s *backupServer) close() error {
	err := s.ln.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return errors.Join(err, s.dir.Close())
}

// serve runs until ctx ends. A backup that is under way then is cut short.
func (s *backupServer) serve(ctx context.Context, store *datastore.Store) error {
	var mu sync.Mutex
	var current net.Conn
	stop := context.AfterFunc(ctx, func() {
		_ = s.close()
		mu.Lock()
		defer mu.Unlock()
		if current != nil {
			_ = current.Close()
		}
	})
	defer stop()
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("listen for backups: %w", err)
		}
		mu.Lock()
		current = conn
		mu.Unlock()
		err = errors.Join(store.Backup(patient{conn}), conn.Close())
		if err != nil {
			s.log.Warn("backup not given", "err", err)
		} else {
			s.log.Info("backup given")
		}
	}
}

// patient is a connection of which each write has its own time.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(backupStall)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// backup writes the state into a file: that of a running agent, or of a
// directory that no agent has open.
func backup(ctx context.Context, p *program, args []string) error {
	dir, rest, err := p.stateArgs("backup", args, backupUsage, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return &usageError{"backup: want one file: agent backup FILE"}
	}
	from, err := openBackup(ctx, dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	m, err := writeBackup(rest[0], from)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = fmt.Fprintf(p.out, "%s has state %s of host %s at revision %d. It has secrets in it.\n", rest[0], m.State, m.Host, m.Revision)
	return err
}

// openBackup returns a backup to read.
func openBackup(ctx context.Context, dir string) (io.ReadCloser, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socketIn(d))
	if err == nil {
		return conn, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "state.db")); err != nil {
		return nil, err
	}
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(errors.Join(store.Backup(w), store.Close())) }()
	return r, nil
}

// writeBackup writes a backup beside its name, checks it, and puts it there.
func writeBackup(path string, from io.ReadCloser) (*datastore.Manifest, error) {
	defer from.Close()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is not there if all went well
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Sync()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	_, err = f.Seek(0, io.SeekStart)
	var m *datastore.Manifest
	if err == nil {
		m, err = datastore.ReadBackup(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%w (the agent's log says more)", err)
	}
	return m, os.Rename(f.Name(), path)
}

func backupUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent backup [--state-dir DIR] FILE

Writes the state into FILE, as it is at one moment, while the agent runs and
commits go on; also where no agent runs. FILE is a tar archive with mode 0600,
has all passwords and keys in it, and ends with a checksum of each part.
`)
}
