package server

import (
	"net/netip"
	"time"
)

const (
	failureBurst  = 10              // failed attempts an address may make at once
	failureRefill = 5 * time.Second // time to earn one more
	maxSources    = 4096            // addresses remembered
)

// bucket holds the attempts left at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

// limiter bounds failed attempts per source: a token bucket an address, /64
// for IPv6 since one host owns that many. An address without failures is not
// stored. When the table is full of addresses that are still paying, all
// others share the overflow bucket, so that memory stays bounded and guessing
// from many addresses does too. The owner's mutex guards it.
type limiter struct {
	buckets  map[netip.Prefix]bucket
	overflow bucket
}

func newLimiter() limiter { return limiter{buckets: make(map[netip.Prefix]bucket)} }

// sourceKey is the prefix that counts as one source; zero for a unix socket.
func sourceKey(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// refilled returns b as it is at now.
func (b bucket) refilled(now time.Time) bucket {
	if b.at.IsZero() {
		return bucket{tokens: failureBurst, at: now}
	}
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(failureBurst, b.tokens+float64(d)/float64(failureRefill))
		b.at = now
	}
	return b
}

// find returns the bucket that source pays from, and whether it is the shared one.
func (l *limiter) find(source netip.Prefix, now time.Time) (b bucket, shared bool) {
	b, known := l.buckets[source]
	if !known && len(l.buckets) >= maxSources {
		return l.overflow.refilled(now), true
	}
	return b.refilled(now), false
}

// allowed reports whether source may try; it takes nothing.
func (l *limiter) allowed(source netip.Prefix, now time.Time) bool {
	b, _ := l.find(source, now)
	return b.tokens >= 1
}

// charge takes one attempt from source.
func (l *limiter) charge(source netip.Prefix, now time.Time) {
	if _, known := l.buckets[source]; !known && len(l.buckets) >= maxSources {
		l.sweep(now)
	}
	l.add(source, now, -1)
}

// refund gives back an attempt that was charged and did not fail.
func (l *limiter) refund(source netip.Prefix, now time.Time) {
	l.add(source, now, 1)
}

func (l *limiter) add(source netip.Prefix, now time.Time, tokens float64) {
	b, shared := l.find(source, now)
	b.tokens = min(failureBurst, b.tokens+tokens)
	switch {
	case shared:
		l.overflow = b
	case b.tokens >= failureBurst:
		delete(l.buckets, source)
	default:
		l.buckets[source] = b
	}
}

// sweep forgets the addresses that have earned everything back.
func (l *limiter) sweep(now time.Time) {
	for source, b := range l.buckets {
		if b.refilled(now).tokens >= failureBurst {
			delete(l.buckets, source)
		}
	}
}
