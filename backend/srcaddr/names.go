package srcaddr

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namesDir is where ip-netns(8) mounts named network namespaces.
const namesDir = "/run/netns"

func (linux) watchNames() (nameWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking: Close ends Read
	const changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, namesDir, changes); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("watch %s: %w", namesDir, err)
	}
	return &dirWatch{f: f}, nil
}

// dirWatch is a nameWatch by inotify.
type dirWatch struct{ f *os.File }

func (w *dirWatch) close() { _ = w.f.Close() }

func (w *dirWatch) next() ([]string, error) {
	buf := make([]byte, 16<<10)
	n, err := w.f.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", namesDir, err)
	}
	return decodeNames(buf[:n])
}

// decodeNames reads struct inotify_event (inotify(7)). It returns an error when
// events are lost or the directory is gone: the watch must be made again.
func decodeNames(b []byte) ([]string, error) {
	var names []string
	for len(b) >= unix.SizeofInotifyEvent {
		var e unix.InotifyEvent
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), unix.SizeofInotifyEvent), b)
		b = b[unix.SizeofInotifyEvent:]
		if e.Mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_UNMOUNT) != 0 {
			return nil, fmt.Errorf("watch %s: directory gone or events lost (inotify mask %#x)", namesDir, e.Mask)
		}
		if uint64(e.Len) > uint64(len(b)) {
			return nil, fmt.Errorf("watch %s: truncated inotify event", namesDir)
		}
		names = append(names, cString(b[:e.Len]))
		b = b[e.Len:]
	}
	return names, nil
}
