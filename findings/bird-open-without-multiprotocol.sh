#!/usr/bin/env bash
# BIRD refuses an OPEN that has capabilities, but not the multiprotocol one, with NOTIFICATION 2/7 and no
# data; it takes an OPEN without any capability. So a peer that adds the 4-octet AS capability to an
# IPv4-only OPEN loses the session that it had before. RFC 4760 has IPv4 unicast without that capability
# (section 1: NLRI of the UPDATE itself), and RFC 5492 section 3 wants the missing capability in the data of 2/7.
# FRR and GoBGP take both.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7
cat >"$ROOT/tmp/bird.conf" <<'X'
router id 1.1.1.1;
protocol device {}
protocol bgp p { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65002; passive; multihop; error wait time 1, 1; ipv4 { import none; export none; }; }
X
daemon bird -f -c /tmp/bird.conf -s /tmp/bird.ctl
try() {
  python3 - "$1" <<'X'
import sys
from bgp import IPV4, as4, handshake, message, opening
session, answer = handshake(opening({"none": b"", "as4": as4(65002), "as4+ipv4": as4(65002) + IPV4}[sys.argv[1]]))
print(answer)
X
}
differs 'no capability' established "$(try none)"
differs '4-octet AS only' 'NOTIFICATION 2/7 data none' "$(try as4)"
differs '4-octet AS and multiprotocol IPv4 unicast' established "$(try as4+ipv4)"
