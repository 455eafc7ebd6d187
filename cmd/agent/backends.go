package main

import (
	"fmt"
	"log/slog"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/backend/gobgp"
)

const (
	backendGoBGP = "gobgp"
	backendFake  = "fake"
)

var backendNames = []string{backendGoBGP, backendFake}

// newBackend returns the BGP speaker of that name.
func newBackend(name string, log *slog.Logger) (backend.Backend, error) {
	switch name {
	case backendGoBGP:
		return gobgp.New(gobgp.Options{Log: log.With("part", "gobgp")}), nil
	case backendFake:
		log.Warn("the backend is fake: it speaks with nobody, sessions are made up")
		return fake.New(fake.Options{}), nil
	}
	return nil, fmt.Errorf("backend %q is not built in", name)
}
