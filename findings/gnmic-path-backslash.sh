#!/usr/bin/env bash
# gnmic and ygot read the same path string differently where a key has a backslash. The path strings of OpenConfig
# escape it: \\ is one backslash, \] a bracket. ygot v0.36.0 reads /a[k=x\\y] as the key x\y and writes it back so;
# gnmic's library (pkg/api v0.1.11) takes both backslashes into the key, but unescapes \]. So a path that ygot
# printed, pasted into gnmic, names another list entry.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'X'
module finding

go 1.26.0

require (
	github.com/openconfig/gnmic/pkg/api v0.1.11
	github.com/openconfig/ygot v0.36.0
)
X
cat >main.go <<'X'
package main

import (
	"fmt"

	"github.com/openconfig/gnmic/pkg/api/path"
	"github.com/openconfig/ygot/ygot"
)

func main() {
	for _, s := range []string{`/a[k=x\]y]`, `/a[k=x\\y]`} {
		g, err := path.ParsePath(s)
		if err != nil {
			panic(err)
		}
		y, err := ygot.StringToStructuredPath(s)
		if err != nil {
			panic(err)
		}
		back, err := ygot.PathToString(y)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s gnmic %s ygot %s back %s\n", s, g.GetElem()[0].GetKey()["k"], y.GetElem()[0].GetKey()["k"], back)
	}
}
X
go mod tidy >tidy.log 2>&1 || { tail -n 3 tidy.log >&2; exit 2; }
seen=$(go run .)
echo "$seen"
[ "$seen" = '/a[k=x\]y] gnmic x]y ygot x]y back /a[k=x\]y]
/a[k=x\\y] gnmic x\\y ygot x\y back /a[k=x\\y]' ] || { echo CHANGED >&2; exit 1; }
