package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/openconfig/ygot/genutil"
	"github.com/openconfig/ygot/gogen"
	"github.com/openconfig/ygot/ygen"
)

// generateStructs makes the Go structs of the data tree with ygot. The header
// is ours, because ygot's names the input paths of the machine that ran it.
func generateStructs(files, include []string) (string, error) {
	dir, err := os.MkdirTemp("", "yanggen")
	if err != nil {
		return "", fmt.Errorf("copy modules: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears its folder too
	if files, err = withoutBits(files, dir); err != nil {
		return "", err
	}
	include = append([]string{dir}, include...)
	cg := gogen.New("yanggen",
		ygen.IROptions{
			ParseOptions: ygen.ParseOpts{IgnoreUnsupportedStatements: true},
			TransformationOptions: ygen.TransformationOpts{
				CompressBehaviour:                    genutil.Uncompressed,
				GenerateFakeRoot:                     true,
				FakeRootName:                         "root",
				ShortenEnumLeafNames:                 true,
				UseDefiningModuleForTypedefEnumNames: true,
				EnumerationsUseUnderscores:           true,
			},
		},
		gogen.GoOpts{
			PackageName:                         packageName,
			YgotImportPath:                      "github.com/openconfig/ygot/ygot",
			AddYangPresence:                     true,
			GenerateGetters:                     true,
			GenerateSimpleUnions:                true,
			AppendEnumSuffixForSimpleUnionEnums: true,
		})
	code, errs := cg.Generate(files, include)
	if len(errs) > 0 {
		return "", fmt.Errorf("generate structs: %w", errs)
	}
	var out strings.Builder
	out.WriteString(code.OneOffHeader)
	for _, s := range code.Structs {
		out.WriteString(s.String())
	}
	for _, e := range code.Enums {
		out.WriteString(e)
	}
	out.WriteString(code.EnumMap)
	return out.String(), nil
}
