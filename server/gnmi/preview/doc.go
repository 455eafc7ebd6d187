// Package preview is the registered gNMI extension Preview: how a Set asks what
// it does to BGP sessions, and how the agent answers.
//
// It owns the message only: preview.proto is published, so fields are added
// but never renumbered, and preview.pb.go is generated from it and never edited.
// To generate it again, with protoc (Debian package protobuf-compiler) and the
// plugin of the version in go.mod, in this folder:
//
//	go build -o protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//	protoc --plugin=./protoc-gen-go --go_out=. --go_opt=paths=source_relative preview.proto
package preview

import _ "embed"

// File is the text of preview.proto.
//
//go:embed preview.proto
var File string
