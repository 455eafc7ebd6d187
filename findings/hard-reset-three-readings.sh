#!/usr/bin/env bash
# A Hard Reset (RFC 8538: Cease 6/9, whose data is the reason as a code, a subcode and its data) with the reason
# 6/2 "hello" is read in three ways: FRR unwraps it and shows the reason 6/2 with its text; BIRD 2.0.12 calls it an
# unknown error and shows no text; GoBGP 3.10 says hard-reset and drops reason and text. Who looks for 6/9 in FRR's JSON does not find it.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7 gobgpd=3.10.0-1+b4 frr=8.4.4-1.1~deb12u2
cat >"$ROOT/tmp/bird.conf" <<'X'
router id 1.1.1.1;
protocol device {}
protocol bgp p { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65002; passive; multihop; graceful restart on; ipv4 { import none; export none; }; }
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
graceful-restart.config = { enabled = true, restart-time = 120, notification-enabled = true }
X
cat >"$ROOT/tmp/bgpd.conf" <<'X'
router bgp 65001
 bgp router-id 1.1.1.1
 bgp graceful-restart
 neighbor 127.0.0.2 remote-as 65002
 neighbor 127.0.0.2 passive
X
daemon bird -f -c /tmp/bird.conf -s /tmp/bird.ctl
chroot "$ROOT" gobgpd -f /tmp/gobgp.toml --api-hosts 127.0.0.1:50051 >"$ROOT/tmp/gobgp.log" 2>&1 &
daemon /usr/lib/frr/bgpd -S -Z -p 1791 -l 127.0.0.1 -f /tmp/bgpd.conf --vty_socket /tmp -i /tmp/bgpd.pid
try() {
  python3 - "$1" <<'X'
import sys
from bgp import IPV4, REFRESH, as4, handshake, message, opening
restart = bytes([64, 6, 0x40, 120, 0, 1, 1, 0])  # RFC 8538: the N bit
session, answer = handshake(opening(IPV4 + as4(65002) + REFRESH + restart), port=int(sys.argv[1]))
assert answer == "established", answer
session.send(message(3, bytes([6, 9, 6, 2, 5]) + b"hello"))
while session.receive()[0]:
    pass
X
}
try 179
differs BIRD 'Last error: Received: Unknown error 6.9' \
  "$(inside birdc -s /tmp/bird.ctl show protocols all p | sed -nE '/Last error|Message/s/^ +|: *\K +//gp' | sed -E 's/: +/: /')"
try 1791
differs FRR '0602 Cease/Administrative Shutdown true hello' "$(vty 'show bgp neighbors 127.0.0.2 json' |
  python3 -c 'import json, sys; n = json.load(sys.stdin)["127.0.0.2"]; print(n["lastErrorCodeSubcode"], n["lastNotificationReason"], str(n["lastNotificationHardReset"]).lower(), n["lastShutdownDescription"])')"
try 1790
for _ in {1..100}; do grep -q hard-reset "$ROOT/tmp/gobgp.log" && break || sleep 0.1; done
differs GoBGP hard-reset "$(sed -nE 's/.*"Reason":"([^"]*)".*/\1/p' "$ROOT/tmp/gobgp.log")"
