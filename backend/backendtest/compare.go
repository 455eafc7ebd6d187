package backendtest

import "net/netip"

// sameAddr compares addresses for cmp, which cannot look into them.
func sameAddr(a, b netip.Addr) bool { return a == b }
