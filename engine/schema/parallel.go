package schema

import (
	"runtime"

	"github.com/openconfig/ygot/ygot"
)

// Forker is a View that several goroutines can read at a time, each its own
// fork: the same instant of the configuration. AppendJSON and EncodeXML write
// long lists of records of such a View on all cores.
type Forker interface {
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

// scanChunks calls serial for each record directly below prefix, if they are
// few or have records below them, which may be many. Otherwise it has write called for each chunk of them, by several
// goroutines, each with a View of its own, and hands the results to join in
// order. What waits to be joined is bounded. It ends early when a function
// returns false.
func scanChunks[T any](v View, n *Node, prefix Key, serial func(listRecord) bool, write func(View, []listRecord) T, join func(T) bool) {
	forker, ok := v.(Forker)
	workers := runtime.GOMAXPROCS(0)
	if !ok || workers < 2 || len(n.below) > 0 {
		v.Scan(prefix, func(k Key, rec ygot.GoStruct) bool {
			return !k.direct(prefix) || serial(listRecord{k, rec})
		})
		return
	}
	p := &pieces[T]{free: make(chan View, workers), write: write, join: join}
	for range workers {
		p.free <- forker.Fork()
	}
	chunk := make([]listRecord, 0, chunkSize)
	more := true
	v.Scan(prefix, func(k Key, rec ygot.GoStruct) bool {
		if !k.direct(prefix) {
			return true
		}
		if len(chunk) == chunkSize {
			if more = p.start(chunk); !more {
				return false
			}
			chunk = make([]listRecord, 0, chunkSize)
		}
		chunk = append(chunk, listRecord{k, rec})
		return true
	})
	switch {
	case p.started > 0:
		if more {
			p.start(chunk)
		}
		p.finish()
	default:
		for _, r := range chunk {
			if !serial(r) {
				return
			}
		}
	}
}

// pieces is work in progress, oldest first.
type pieces[T any] struct {
	free    chan View // of the workers that have nothing to do
	waiting []chan T
	started int
	stopped bool
	write   func(View, []listRecord) T
	join    func(T) bool
}

// start hands a chunk to a worker, and joins what is done so far.
func (p *pieces[T]) start(chunk []listRecord) bool {
	if len(p.waiting) == 2*cap(p.free) && !p.joinFirst() {
		return false
	}
	v := <-p.free
	done := make(chan T, 1)
	p.waiting = append(p.waiting, done)
	p.started++
	go func() {
		out := p.write(v, chunk)
		p.free <- v
		done <- out
	}()
	return true
}

func (p *pieces[T]) joinFirst() bool {
	out := <-p.waiting[0]
	p.waiting = p.waiting[1:]
	p.stopped = p.stopped || !p.join(out)
	return !p.stopped
}

// finish waits for everything that was started.
func (p *pieces[T]) finish() {
	for len(p.waiting) > 0 {
		if p.stopped {
			<-p.waiting[0]
			p.waiting = p.waiting[1:]
			continue
		}
		p.joinFirst()
	}
}
