package srcaddr

import "errors"

// Errors of the kernel seam.
var (
	// errNoNamespace is returned when no network namespace has the name.
	errNoNamespace = errors.New("no such network namespace")
	// errInterrupted comes with a list that changed while it was read: it may
	// lack entries that no event will tell of.
	errInterrupted = errors.New("interfaces or addresses changed while they were listed")
)

// namespaceID tells two namespaces apart that had the same name in turn.
type namespaceID struct{ dev, ino uint64 }

// kernel is all that this package needs of Linux. The methods are called by
// several goroutines.
type kernel interface {
	// open enters a namespace for listing and, if asked to subscribe, for
	// events. It returns errNoNamespace if the namespace does not exist.
	open(netns string, subscribe bool) (conn, error)
	// identify says which namespace has the name now, or errNoNamespace.
	identify(netns string) (namespaceID, error)
	// watchNames tells of namespaces that come and go.
	watchNames() (nameWatch, error)
}

// conn is a view of one namespace, which stays the same one even if its name
// goes to another.
type conn interface {
	id() namespaceID
	// list returns all links and addresses, as setLink and setAddress events,
	// links first. With errInterrupted the result can be used.
	list() ([]event, error)
	// receive blocks for the next events. After an error events may be lost and
	// the conn is of no more use. close ends it with an error.
	receive() ([]event, error)
	close()
}

// nameWatch is a view of the directory of network namespaces.
type nameWatch interface {
	// next blocks for names that came, went or changed. close ends it with an error.
	next() ([]string, error)
	close()
}
