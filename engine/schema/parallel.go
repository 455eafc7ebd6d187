package schema

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/openconfig/ygot/ygot"
)

// Forker is a View that several goroutines can read at a time, each its own
// fork: the same instant of the configuration. AppendJSON and EncodeXML write
// long lists of records of such a View on all cores.
type Forker interface {
	// Fork returns nil where one goroutine only may read.
	Fork() View
}

// chunkSize is how many records are one piece of work. A list of no more is
// written as it comes.
const chunkSize = 64

// listRecord is a record of a list that is to be written.
type listRecord struct {
	key Key
	rec ygot.GoStruct
}

// scanChunks calls serial for each record of the list n directly below prefix,
// if they are few or have records below them, which may be many. Otherwise it
// has write called for each chunk of them, by several goroutines, each with a
// View of its own, and hands the results to join in order. What waits to be
// joined is bounded, and write gets back what was joined, the zero T at first,
// to use its memory again. It ends early when a function returns false.
func scanChunks[T any](v View, n *Node, prefix Key, serial func(listRecord) bool, write func(View, []listRecord, T) T, join func(T) bool) {
	workers := runtime.GOMAXPROCS(0)
	forker, ok := v.(Forker)
	if !ok || workers < 2 || len(n.below) > 0 || forker.Fork() == nil {
		ScanEntries(v, prefix, func(k Key, rec ygot.GoStruct) bool { return serial(listRecord{k, rec}) })
		return
	}
	p := &pieces[T]{write: write, join: join}
	first := make([]listRecord, 0, chunkSize)
	var at *piece[T] // that is being filled; nil: the list is short so far
	ScanEntries(v, prefix, func(k Key, rec ygot.GoStruct) bool {
		switch {
		case at == nil && len(first) < chunkSize:
			first = append(first, listRecord{k, rec})
			return true
		case at == nil:
			p.open(forker, workers)
			at = p.next()
			at.chunk = append(at.chunk, first...)
		}
		if len(at.chunk) == chunkSize {
			p.start(at)
			if at = p.next(); at == nil {
				return false
			}
		}
		at.chunk = append(at.chunk, listRecord{k, rec})
		return true
	})
	if p.free != nil {
		p.finish(at)
		return
	}
	for _, r := range first {
		if !serial(r) {
			return
		}
	}
}

// pieces is work in progress: a ring of pieces that are filled, written by a
// worker and joined in this order.
type pieces[T any] struct {
	write func(View, []listRecord, T) T
	join  func(T) bool
	free  chan View // of the workers that have nothing to do
	ring  []piece[T]

	filled, joined int
	stopped        bool // join has said so
}

type piece[T any] struct {
	chunk []listRecord
	done  chan T
	used  T // what was joined

	failed string // the panic of the worker with its stack, "" for none
}

func (p *pieces[T]) open(f Forker, workers int) {
	p.free = make(chan View, workers)
	for range workers {
		p.free <- f.Fork()
	}
	p.ring = make([]piece[T], 2*workers)
	for i := range p.ring {
		p.ring[i] = piece[T]{chunk: make([]listRecord, 0, chunkSize), done: make(chan T, 1)}
	}
}

// next returns the piece to fill, nil where nobody wants more.
func (p *pieces[T]) next() *piece[T] {
	if p.filled-p.joined == len(p.ring) {
		p.joinNext()
	}
	if p.stopped {
		return nil
	}
	at := &p.ring[p.filled%len(p.ring)]
	at.chunk = at.chunk[:0]
	return at
}

// start hands a full piece to a worker.
func (p *pieces[T]) start(at *piece[T]) {
	p.filled++
	v := <-p.free
	go func() {
		out := at.used
		defer func() {
			if r := recover(); r != nil {
				at.failed = fmt.Sprintf("%v\n%s", r, debug.Stack())
			}
			p.free <- v
			at.done <- out
		}()
		out = p.write(v, at.chunk, at.used)
	}()
}

// joinNext waits for the oldest piece.
func (p *pieces[T]) joinNext() {
	at := &p.ring[p.joined%len(p.ring)]
	at.used = <-at.done
	if at.failed != "" {
		panic(at.failed) // where the request is carried out, which recovers
	}
	p.joined++
	p.stopped = p.stopped || !p.join(at.used)
}

// finish starts the last piece, nil for none, and waits for all.
func (p *pieces[T]) finish(last *piece[T]) {
	if last != nil {
		p.start(last)
	}
	for p.joined < p.filled {
		p.joinNext()
	}
}
