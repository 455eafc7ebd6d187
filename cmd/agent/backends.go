package main

import (
	"fmt"
	"log/slog"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/backend/frr"
	"mooring/backend/gobgp"
)

const (
	backendGoBGP = "gobgp"
	backendFRR   = "frr"
	backendFake  = "fake"
)

var backendNames = []string{backendGoBGP, backendFRR, backendFake}

// driftPolicies are what to do about what somebody changed in bgpd by hand.
var driftPolicies = map[string]frr.DriftPolicy{"repair": frr.Repair, "repair-reset": frr.RepairReset, "report": frr.Report}

// newBackend returns the BGP speaker that the configuration names.
func newBackend(cfg Config, log *slog.Logger) (backend.Backend, error) {
	switch cfg.Backend {
	case backendFRR:
		return frr.New(frr.Options{
			Log: log.With("part", "frr"), VtyDir: cfg.FRRVty, Namespace: cfg.FRRNamespace, Drift: driftPolicies[cfg.Drift],
		}), nil
	case backendGoBGP:
		return gobgp.New(gobgp.Options{Log: log.With("part", "gobgp")}), nil
	case backendFake:
		log.Warn("the backend is fake: it speaks with nobody, sessions are made up")
		return fake.New(fake.Options{}), nil
	}
	return nil, fmt.Errorf("backend %q is not built in", cfg.Backend)
}
