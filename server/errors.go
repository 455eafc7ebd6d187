package server

import (
	"errors"
	"fmt"
)

var (
	// ErrUnauthenticated is returned when a caller did not prove who it is:
	// unknown user, wrong password, key not listed, or too many failures. It
	// does not say which, so that it tells a stranger nothing about users.
	ErrUnauthenticated = errors.New("authentication failed")

	// ErrThrottled is returned when the source address has used up its failed
	// attempts; the password was not judged. It is an ErrUnauthenticated too.
	ErrThrottled = fmt.Errorf("%w: too many failures from this address, try again in a few seconds", ErrUnauthenticated)

	// ErrNoCertToName is returned for a client certificate when the user file
	// has no list cert-to-name. It is an ErrUnauthenticated too.
	ErrNoCertToName = fmt.Errorf("%w: the user file has no list cert-to-name, so no certificate names a user", ErrUnauthenticated)

	// ErrExposedFile is returned when a file that holds a secret may be read
	// or written by its group or by others.
	ErrExposedFile = errors.New("file with secrets is open to others")
)
