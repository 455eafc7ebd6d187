// Command report stands behind go test -json: it prints a line for each
// package and all that failed, and notes which tests were skipped and why. It
// owns the form of that note, and must never judge a reason.
//
//	go test -json ./... | report FILE    appends to FILE
//	report -table FILE                   prints the table of it
//
// It ends with 1 where a test or a build has failed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "-table" {
		text, err := os.ReadFile(os.Args[2])
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			fail(err)
		}
		fmt.Print(table(string(text)))
		return
	}
	if len(os.Args) != 2 {
		fail(errors.New("usage: go test -json ... | report FILE, or report -table FILE"))
	}
	notes, failed, err := read(os.Stdin, os.Stdout)
	if err != nil {
		fail(err)
	}
	f, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		fail(err)
	}
	_, err = io.WriteString(f, notes)
	if err := errors.Join(err, f.Close()); err != nil {
		fail(err)
	}
	if failed {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "report:", err)
	os.Exit(1)
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// read prints the events as go test does without -json, and returns the notes:
// a line for each skipped test, as "package test<tab>reason".
func read(in io.Reader, out io.Writer) (notes string, failed bool, err error) {
	said := map[string]string{} // by package and test, until its end
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(out, "%s\n", lines.Bytes()) // what the go command says itself
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			if e.Test == "" && !strings.HasPrefix(e.Output, "PASS") {
				fmt.Fprint(out, e.Output)
			}
			said[key] += e.Output
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			failed = true
		case "skip":
			if e.Test != "" {
				notes += key + "\t" + reason(said[key]) + "\n"
			}
		case "fail":
			failed = true
			if e.Test != "" {
				fmt.Fprint(out, said[key])
			}
		}
		if e.Action == "pass" || e.Action == "skip" || e.Action == "fail" {
			delete(said, key)
		}
	}
	return notes, failed, lines.Err()
}

var where = regexp.MustCompile(`^\s*\w+\.go:\d+: `)

// reason is the last line that a skipped test printed itself.
func reason(said string) string {
	why := "without a reason"
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\n")
		if at := where.FindString(line); at != "" {
			why = strings.TrimPrefix(line, at)
		}
	}
	return why
}

// table has a row for each reason, with what it kept from being tested.
func table(notes string) string {
	by := map[string][]string{}
	for line := range strings.Lines(notes) {
		if what, why, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			by[why] = append(by[why], strings.TrimPrefix(what, "mooring/"))
		}
	}
	if len(by) == 0 {
		return "All was tested.\n"
	}
	var b strings.Builder
	b.WriteString("Not tested:\n\n| why | what |\n|---|---|\n")
	var reasons []string
	for why := range by {
		reasons = append(reasons, why)
	}
	slices.Sort(reasons)
	for _, why := range reasons {
		what := slices.Compact(slices.Sorted(slices.Values(by[why])))
		text := strings.Join(what, ", ")
		if most := 5; len(what) > most {
			text = fmt.Sprintf("%s and %d more", strings.Join(what[:most], ", "), len(what)-most)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", why, text)
	}
	return b.String()
}
