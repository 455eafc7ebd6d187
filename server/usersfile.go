package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"

	"mooring/internal/nearest"
)

// maxCost bounds the bcrypt cost of a hash in the file: at 15 one login takes
// seconds, and every login waits for a slot that such a hash would hold.
const maxCost = 15

const usersHeader = "# Users of the agent. password-hash is bcrypt; keep this file at mode 0600.\n"

// userEntry is one user as the file has it.
type userEntry struct {
	Name   string   `yaml:"name"`
	Hash   string   `yaml:"password-hash,omitempty"`
	Groups []string `yaml:"groups,omitempty,flow"`
	Keys   []string `yaml:"authorized-keys,omitempty"`
}

// userFile is what the file says.
type userFile struct {
	Users      []userEntry `yaml:"users"`
	CertToName []certEntry `yaml:"cert-to-name,omitempty"`
}

// word is the form of user and group names: what is safe in a log line, a
// history entry and a NACM rule alike.
var word = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$`)

// encodeUsers is the inverse of decodeUsers.
func encodeUsers(file userFile) ([]byte, error) {
	body, err := yaml.Marshal(file)
	if err != nil {
		return nil, err
	}
	return append([]byte(usersHeader), body...), nil
}

// decodeUsers reads the user file. It walks the nodes itself because every
// refusal must name the line and none may quote a value: a value in the wrong
// place may be a password.
func decodeUsers(data []byte) (userFile, error) {
	var file userFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return file, nil
	} else if err != nil {
		return file, syntaxError(err)
	}
	var next yaml.Node
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		return file, errors.New("more than one YAML document")
	}
	if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		return file, nil
	}
	fields, err := mapping(doc.Content[0], "users", "cert-to-name")
	if err != nil {
		return file, err
	}
	if file.Users, err = decodeUserList(fields["users"]); err != nil {
		return userFile{}, err
	}
	if file.CertToName, err = decodeCertToName(fields["cert-to-name"]); err != nil {
		return userFile{}, err
	}
	return file, nil
}

func decodeUserList(n *yaml.Node) ([]userEntry, error) {
	list, err := sequence(n, "users")
	if err != nil {
		return nil, err
	}
	users := make([]userEntry, 0, len(list))
	line := make(map[string]int, len(list))
	for _, node := range list {
		user, err := decodeUser(node)
		if err != nil {
			return nil, err
		}
		if first, dup := line[user.Name]; dup {
			return nil, fmt.Errorf("line %d: user %s is already defined on line %d", node.Line, user.Name, first)
		}
		line[user.Name] = node.Line
		users = append(users, user)
	}
	return users, nil
}

// syntaxError passes on what the YAML parser says, but for the one message of
// it that quotes a value.
func syntaxError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(text, "anchor") {
		return errors.New("a value begins with * or & (quote it, aliases are not supported)")
	}
	return errors.New(text)
}

func decodeUser(node *yaml.Node) (userEntry, error) {
	var user userEntry
	fields, err := mapping(node, "name", "password-hash", "groups", "authorized-keys")
	if err != nil {
		return user, err
	}
	if fields["name"] == nil {
		return user, fmt.Errorf("line %d: user without name", node.Line)
	}
	if user.Name, err = scalar(fields["name"], "name"); err != nil {
		return user, err
	}
	if !word.MatchString(user.Name) {
		return user, fmt.Errorf("line %d: name must be 1 to 64 letters, digits or ._@- and not begin with .@-", fields["name"].Line)
	}
	if n := fields["password-hash"]; n != nil {
		if user.Hash, err = scalar(n, "password-hash"); err != nil {
			return user, err
		}
		if err := checkHash(user.Hash); err != nil {
			return user, fmt.Errorf("line %d: password-hash of %s: %w", n.Line, user.Name, err)
		}
	}
	if user.Groups, err = scalars(fields["groups"], "groups", checkGroup); err != nil {
		return user, err
	}
	user.Keys, err = scalars(fields["authorized-keys"], "authorized-keys", func(s string) error {
		_, err := parseKey(s)
		return err
	})
	return user, err
}

func checkGroup(name string) error {
	if !word.MatchString(name) {
		return errors.New("a group must be 1 to 64 letters, digits or ._@- and not begin with .@-")
	}
	return nil
}

func checkHash(hash string) error {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil || len(hash) != 60:
		return errors.New("not a bcrypt hash (make one with: agent hash-password)")
	case cost > maxCost:
		return fmt.Errorf("bcrypt cost %d is above %d", cost, maxCost)
	}
	// A salt or digest outside bcrypt's alphabet could never match.
	if strings.Trim(hash[7:], "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return errors.New("not a bcrypt hash (make one with: agent hash-password)")
	}
	return nil
}

// parseKey reads one authorized_keys line. What the package would not honour
// it refuses: options narrow what a key may do, and a certificate has a
// validity that a plain comparison ignores.
func parseKey(line string) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		return nil, errors.New("not an OpenSSH public key")
	case len(options) > 0:
		return nil, errors.New("options before a key are not supported")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("more than one key in one entry")
	}
	if _, isCert := key.(*ssh.Certificate); isCert {
		return nil, errors.New("certificates are not supported, list the plain key")
	}
	return key, nil
}

// mapping returns the values of a YAML mapping by key and refuses keys that
// are not known or appear twice.
func mapping(n *yaml.Node, known ...string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want a mapping with the keys %s", n.Line, strings.Join(known, ", "))
	}
	fields := make(map[string]*yaml.Node, len(known))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value) {
			return nil, fmt.Errorf("line %d: unknown key %.40q, known are %s%s", key.Line, key.Value, strings.Join(known, ", "), nearest.Hint(key.Value, slices.Values(known)))
		}
		if fields[key.Value] != nil {
			return nil, fmt.Errorf("line %d: key %s appears twice", key.Line, key.Value)
		}
		fields[key.Value] = n.Content[i+1]
	}
	return fields, nil
}

// sequence returns the entries of a YAML list; absent and null are empty.
func sequence(n *yaml.Node, key string) ([]*yaml.Node, error) {
	if n == nil || n.ShortTag() == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: %s must be a list", n.Line, key)
	}
	return n.Content, nil
}

func scalars(n *yaml.Node, key string, check func(string) error) ([]string, error) {
	list, err := sequence(n, key)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, item := range list {
		value, err := scalar(item, key)
		if err != nil {
			return nil, err
		}
		if err := check(value); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", item.Line, key, err)
		}
		values = append(values, value)
	}
	return values, nil
}

func scalar(n *yaml.Node, key string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return "", fmt.Errorf("line %d: %s must be text (quote it if it looks like a number)", n.Line, key)
	}
	return n.Value, nil
}
