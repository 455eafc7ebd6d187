// Package bench measures the real agent against the targets of the project:
// each benchmark says its own. What is compared is measured side by side in the
// same run, because a ratio travels from machine to machine and a figure does
// not. The commit without network and disk is measured where it lives, in
// engine/commit (BenchmarkCommitOneLeaf).
//
//	go test ./tests/bench -run '^$' -bench . -benchtime 300x
//
// With -short the configurations are small: that only proves that the
// benchmarks work.
package bench
