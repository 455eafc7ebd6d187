package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// withoutBits copies modules to dir with string for every type bits, for which
// ygot has no type: the structs then hold the lexical form, and package schema
// makes it canonical. It returns the copies.
func withoutBits(files []string, dir string) ([]string, error) {
	out := make([]string, len(files))
	for i, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read module: %w", err)
		}
		out[i] = filepath.Join(dir, filepath.Base(f))
		if err := os.WriteFile(out[i], []byte(stringsForBits(string(text))), 0o600); err != nil {
			return nil, fmt.Errorf("copy module: %w", err)
		}
	}
	return out, nil
}

// stringsForBits replaces each "type bits { ... }" of a module's text.
func stringsForBits(text string) string {
	const statement = "type bits {"
	for {
		start := strings.Index(text, statement)
		if start < 0 {
			return text
		}
		text = text[:start] + "type string;" + text[blockEnd(text, start+len(statement)):]
	}
}

// blockEnd returns where the block ends that is open at i. Braces in quotes do
// not count.
func blockEnd(text string, i int) int {
	open := 1
	var quote byte
	for ; i < len(text) && open > 0; i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			open++
		case c == '}':
			open--
		}
	}
	return i
}
