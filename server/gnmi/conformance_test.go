package gnmi

import (
	"regexp"
	"testing"

	"mooring/tests/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Guide{
		Path: "../../docs/reference/gnmi.md", Items: 110, Folders: []string{"."},
		Cases: regexp.MustCompile(`\((\d+(?:, \d+)*)\)`),
	}.Check(t)
}
