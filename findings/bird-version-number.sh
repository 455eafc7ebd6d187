#!/usr/bin/env bash
# A peer that opens with BGP version 5 is to be told the highest version that the speaker has, as a 2-octet
# unsigned integer (RFC 4271 section 6.2): 0004. BIRD sends it in the byte order of its machine, so that on
# x86-64 the peer reads version 1024; GoBGP sends no number at all; FRR sends 0004.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7 gobgpd=3.10.0-1+b4 frr=8.4.4-1.1~deb12u2
three
try() {
  python3 - "$1" <<'X'
import sys
from bgp import IPV4, as4, handshake, opening
session, answer = handshake(opening(IPV4 + as4(65002), version=5), port=int(sys.argv[1]))
print(answer)
X
}
differs BIRD 'NOTIFICATION 2/1 data 0400' "$(try 179)"
differs GoBGP 'NOTIFICATION 2/1 data none' "$(try 1790)"
differs FRR 'NOTIFICATION 2/1 data 0004' "$(try 1791)"
