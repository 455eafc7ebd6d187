// Command yanggen writes package gen from the modules in yang/: Go structs by
// ygot as a library, and a table of metadata that neither the structs nor
// goyang keep. It refuses YANG that goyang or ygot would misread without an
// error. It never reads anything but the modules, and its output depends on
// nothing else.
//
//	yang/*.yang -> lint.go (as written) -> model.go, tree.go, types.go (flat table) -> emit.go -> gen/schema.go, meta.go
//	                                       structs.go, bits.go (ygot)                                   -> gen/structs.go
//	yang/ietf/*.yang -> standard.go (heads only)                                               -> gen/standard.go
//
// Of the standards' modules those in standardData are part of the model too.
//
// Run it with go generate from the root of the repository.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	yangDir := flag.String("yang", "yang", "folder of the modules")
	outDir := flag.String("out", "gen", "folder of the generated package")
	flag.Parse()
	if err := run(*yangDir, *outDir); err != nil {
		fmt.Fprintln(os.Stderr, "yanggen:", err)
		os.Exit(1)
	}
}

// run writes the package for the modules of yangDir to outDir.
func run(yangDir, outDir string) error {
	files, err := generate(yangDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return fmt.Errorf("write package: %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(outDir, name), text, 0o644); err != nil {
			return fmt.Errorf("write package: %w", err)
		}
	}
	return nil
}

// generate makes the package for the modules of yangDir: file name to text.
func generate(yangDir string) (map[string][]byte, error) {
	modules, err := modelFiles(yangDir)
	if err != nil {
		return nil, err
	}
	include := []string{yangDir, filepath.Join(yangDir, standardDir)}
	m, err := loadModel(modules, include)
	if err != nil {
		return nil, err
	}
	structs, err := generateStructs(modules, include)
	if err != nil {
		return nil, err
	}
	if m.Standard, err = loadStandard(filepath.Join(yangDir, standardDir)); err != nil {
		return nil, err
	}
	m.takeStandardData()
	return sourceFiles(structs, m)
}
