// Package mooring holds nothing but the directive that regenerates package gen.
package mooring

//go:generate go run ./internal/yanggen -yang yang -out gen
