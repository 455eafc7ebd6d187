#!/usr/bin/env bash
# A peer that opens with BGP version 5 is to be told the highest version that the speaker has, as a 2-octet
# unsigned integer (RFC 4271 section 6.2): 0004. BIRD sends it in the byte order of its machine, so that on
# x86-64 the peer reads version 1024; GoBGP sends no number at all; FRR sends 0004.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7 gobgpd=3.10.0-1+b4 frr=8.4.4-1.1~deb12u2
cat >"$ROOT/tmp/bird.conf" <<'X'
router id 1.1.1.1;
protocol device {}
protocol bgp p { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65002; passive; multihop; error wait time 1, 1; ipv4 { import none; export none; }; }
X
cat >"$ROOT/tmp/gobgp.toml" <<'X'
[global.config]
as = 65001
router-id = "1.1.1.1"
port = 1790
local-address-list = ["127.0.0.1"]
[[neighbors]]
config = { neighbor-address = "127.0.0.2", peer-as = 65002 }
transport.config.passive-mode = true
X
cat >"$ROOT/tmp/bgpd.conf" <<'X'
router bgp 65001
 bgp router-id 1.1.1.1
 neighbor 127.0.0.2 remote-as 65002
 neighbor 127.0.0.2 passive
X
daemon bird -f -c /tmp/bird.conf -s /tmp/bird.ctl
daemon gobgpd -f /tmp/gobgp.toml --api-hosts 127.0.0.1:50051
daemon /usr/lib/frr/bgpd -S -Z -p 1791 -l 127.0.0.1 -f /tmp/bgpd.conf --vty_socket /tmp -i /tmp/bgpd.pid
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
