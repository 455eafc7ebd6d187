// Package yang holds the YANG modules of Mooring. The files are the model; the
// package only carries them into the binary, so that they can be served to
// clients that ask for them, and must hold no other code.
package yang

import "embed"

// FS is the modules, each under its file name; those of standards in ietf/.
//
//go:embed *.yang ietf/*.yang
var FS embed.FS
