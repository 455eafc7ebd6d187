package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigFile bounds the file; a real one has some hundred bytes.
const maxConfigFile = 1 << 20

// readFile reads a configuration file. Errors name the file and the line; with
// them comes what could be read of it, nil for nothing.
func readFile(path string) (choices, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxConfigFile {
		return nil, fmt.Errorf("read configuration: %s is larger than %d bytes, so it is something else", path, maxConfigFile)
	}
	return decodeFile(path, data)
}

// decodeFile reads a flat YAML mapping from settings to scalars. It walks the
// nodes itself, so that each refusal names the line.
func decodeFile(path string, data []byte) (choices, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // an empty file tells nothing
	} else if err != nil {
		return nil, fmt.Errorf("%s: not YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one YAML document", path)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, nil // comments only
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want lines of the form key: value; the keys are %s",
			path, root.Line, strings.Join(settingKeys(), ", "))
	}
	found := make(choices, len(root.Content)/2)
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		errs = append(errs, found.add(path, root.Content[i], root.Content[i+1]))
	}
	return found, errors.Join(errs...)
}

// add takes one line of the file.
func (c choices) add(path string, key, value *yaml.Node) error {
	origin := fmt.Sprintf("%s:%d", path, key.Line)
	if key.Kind != yaml.ScalarNode || settingOf(key.Value) == nil {
		hint := didYouMean(key.Value, settingKeys())
		if hint == "" {
			hint = "; the keys are " + strings.Join(settingKeys(), ", ")
		}
		return fmt.Errorf("%s: unknown key %.40q%s", origin, key.Value, hint)
	}
	if first, ok := c[key.Value]; ok {
		return fmt.Errorf("%s: key %s is already on line %s: remove one of them",
			origin, key.Value, strings.TrimPrefix(first.origin, path+":"))
	}
	if settingOf(key.Value).arg == listArg && value.Kind == yaml.SequenceNode {
		text, err := onOneLine(value)
		if err != nil {
			return fmt.Errorf("%s: key %s: %w", origin, key.Value, err)
		}
		c[key.Value] = given{text, origin}
		return nil
	}
	if value.Kind != yaml.ScalarNode {
		return fmt.Errorf("%s: key %s wants one value, not a list, a mapping or an alias", origin, key.Value)
	}
	if value.ShortTag() == "!!null" {
		return fmt.Errorf("%s: key %s has no value: remove the line or give one", origin, key.Value)
	}
	c[key.Value] = given{value.Value, origin}
	return nil
}

// onOneLine writes a list as a flag has it.
func onOneLine(n *yaml.Node) (string, error) {
	if err := flow(n, 0); err != nil {
		return "", err
	}
	text, err := yaml.Marshal(n)
	return strings.TrimSpace(string(text)), err
}

// flow gives a node the style of one line. A list of settings is no deeper than
// maxDepth; an alias could be without an end.
func flow(n *yaml.Node, depth int) error {
	const maxDepth = 8
	if n.Kind == yaml.AliasNode || depth > maxDepth {
		return errors.New("wants no alias and at most 8 levels")
	}
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, child := range n.Content {
		if err := flow(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}
