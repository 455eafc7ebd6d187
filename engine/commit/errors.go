package commit

import (
	"errors"
	"fmt"
	"syscall"

	"mooring/backend"
	"mooring/engine/schema"
)

// PrepareError says that the backend refused the change before anything had
// happened. Path is the setting to blame, or the peer or instance.
type PrepareError struct {
	Path schema.Path
	Err  error
}

// Error names the path and the reason.
func (e *PrepareError) Error() string { return e.Path.String() + ": " + reason(e.Err) }

// Unwrap returns the reason.
func (e *PrepareError) Unwrap() error { return e.Err }

// DiskError says that the disk refused a change before the backend was asked.
// Nothing has changed. It wraps datastore.ErrUnsettled if the disk may keep what
// it refused.
type DiskError struct {
	Err error
}

// Error says that nothing has changed, and why.
func (e *DiskError) Error() string {
	return "the disk refused the change, nothing has changed: " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *DiskError) Unwrap() error { return e.Err }

// Full reports whether the disk had no room, rather than a fault.
func (e *DiskError) Full() bool {
	return errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT)
}

// ApplyError says that the change failed in the backend after it had begun. The
// configuration is the old one, and so is the backend unless Rollback says
// otherwise.
type ApplyError struct {
	Path      schema.Path // the peer or instance
	Err       error
	Rollback  error // nil: everything is as before
	Unsettled error // not nil: the disk has not taken yet that the change failed
}

// Error names the path, the reason and what became of the undoing.
func (e *ApplyError) Error() string {
	s := "the change failed and was undone: "
	if e.Rollback != nil {
		s = fmt.Sprintf("the change failed, and undoing it failed too (%v), the agent keeps repairing the difference: ", e.Rollback)
	}
	if len(e.Path) > 0 {
		s += e.Path.String() + ": "
	}
	if s += reason(e.Err); e.Unsettled != nil {
		s += "; " + e.Unsettled.Error()
	}
	return s
}

// Unwrap returns the reason.
func (e *ApplyError) Unwrap() error { return e.Err }

// reason is the text of a backend's error without the peer that the path
// already names.
func reason(err error) string {
	if be, ok := errors.AsType[*backend.Error](err); ok {
		return be.Err.Error()
	}
	return err.Error()
}
