package main

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	in := `{"Action":"run","Package":"mooring/a","Test":"TestOne"}
{"Action":"output","Package":"mooring/a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"output","Package":"mooring/a","Test":"TestOne","Output":"    one_test.go:7: needs root: run it with sudo\n"}
{"Action":"output","Package":"mooring/a","Test":"TestOne","Output":"--- SKIP: TestOne (0.00s)\n"}
{"Action":"skip","Package":"mooring/a","Test":"TestOne"}
{"Action":"output","Package":"mooring/a","Test":"TestTwo","Output":"    two_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"mooring/a","Test":"TestTwo"}
{"Action":"output","Package":"mooring/a","Test":"TestThree","Output":"not shown\n"}
{"Action":"pass","Package":"mooring/a","Test":"TestThree"}
{"Action":"output","Package":"mooring/a","Output":"FAIL\tmooring/a\t0.1s\n"}
{"Action":"fail","Package":"mooring/a"}
{"Action":"skip","Package":"mooring/none"}
go: downloading something
`
	var out strings.Builder
	notes, failed, err := read(strings.NewReader(in), &out)
	if err != nil || !failed {
		t.Errorf("failed %v, %v", failed, err)
	}
	if want := "mooring/a TestOne\tneeds root: run it with sudo\n"; notes != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if want := "    two_test.go:9: got 1, want 2\nFAIL\tmooring/a\t0.1s\ngo: downloading something\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	notes, failed, err = read(strings.NewReader(`{"Action":"build-output","ImportPath":"mooring/b","Output":"b.go:1: wrong\n"}
{"Action":"build-fail","ImportPath":"mooring/b"}`), &out)
	if notes != "" || !failed || err != nil || !strings.HasSuffix(out.String(), "b.go:1: wrong\n") {
		t.Errorf("%q, %v, %v, %q", notes, failed, err, out.String())
	}
}

func TestTable(t *testing.T) {
	if got := table(""); got != "All was tested.\n" {
		t.Errorf("nothing: %q", got)
	}
	notes := "mooring/a TestTwo\tneeds root\nthe YANG modules\tno yanglint\nmooring/a TestOne\tneeds root\nmooring/a TestOne\tneeds root\n"
	want := "Not tested:\n\n| why | what |\n|---|---|\n| needs root | a TestOne, a TestTwo |\n| no yanglint | the YANG modules |\n"
	if got := table(notes); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	many := "x A\twhy\nx B\twhy\nx C\twhy\nx D\twhy\nx E\twhy\nx F\twhy\nx G\twhy\n"
	if got := table(many); !strings.Contains(got, "| why | x A, x B, x C, x D, x E and 2 more |") {
		t.Errorf("many: %s", got)
	}
}
