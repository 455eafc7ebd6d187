#!/usr/bin/env bash
# Two speakers that share no address family have nothing to say to each other. Asked for IPv4 unicast by a peer
# that offers IPv6 unicast only, BIRD and FRR refuse with NOTIFICATION 2/7; FRR repeats the peer's own
# offer in the data. GoBGP establishes the session and shows it as up, with no family in it.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7 gobgpd=3.10.0-1+b4 frr=8.4.4-1.1~deb12u2
three
try() {
  python3 - "$@" <<'X'
import subprocess
import sys
from bgp import IPV6, REFRESH, as4, handshake, opening
session, answer = handshake(opening(IPV6 + as4(65002) + REFRESH), port=int(sys.argv[1]))
print(answer)
if sys.argv[2:]:
    print(subprocess.run(sys.argv[2:], capture_output=True, text=True, check=True).stdout)
X
}
differs BIRD 'NOTIFICATION 2/7 data none' "$(try 179)"
differs FRR 'NOTIFICATION 2/7 data 010400020001' "$(try 1791)"
seen=$(try 1790 chroot "$ROOT" gobgp -p 50051 neighbor 127.0.0.2 | grep -E '^established|BGP state|unicast:' | sed -E 's/, up for .*//; s/^ +//; s/:[[:space:]]+/ /')
differs GoBGP $'established\nBGP state = ESTABLISHED\nipv4-unicast advertised\nipv6-unicast received' "$seen"
