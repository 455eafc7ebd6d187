package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version that the build sets (-ldflags "-X main.release=...").
var release string

// versionText is the agent's version: that of the build, else that of the
// module, as `go install module@version` leaves it, with its commit.
func versionText() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

// dependency returns the version of a module in the binary.
func dependency(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}

func version(_ context.Context, p *program, args []string) error {
	rest, err := p.parse(flag.NewFlagSet("version", flag.ContinueOnError), args, versionUsage)
	if err != nil {
		return err
	}
	if err := noArguments("version", rest); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "agent %s\n%s %s/%s\ngobgp %s\n", versionText(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, dependency("github.com/osrg/gobgp/v4"))
	return nil
}
