package commit

import (
	"errors"
	"fmt"

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

// ApplyError says that the change failed in the backend or on disk after it
// had begun. The configuration is the old one, and so is the backend unless
// Rollback says otherwise.
type ApplyError struct {
	Path     schema.Path // the peer or instance; empty where the disk failed
	Err      error
	Rollback error // nil: everything is as before
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
	return s + reason(e.Err)
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
