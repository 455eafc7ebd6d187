#!/usr/bin/env bash
# The text of a shutdown communication (RFC 9003) stays in `birdc show protocols all` after the session has come up
# again and has ended for another reason: the reason is the new one, the message beside it belongs to an older end.
# BIRD's log has them apart.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7
cat >"$ROOT/tmp/bird.conf" <<'X'
router id 1.1.1.1;
protocol device {}
protocol bgp p { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65002; passive; multihop; error wait time 1, 1; ipv4 { import none; export none; }; }
X
daemon bird -f -c /tmp/bird.conf -s /tmp/bird.ctl
try() { # the NOTIFICATION's octets, in hex
  python3 - "$1" <<'X'
import sys
from bgp import IPV4, as4, handshake, message, opening
session, answer = handshake(opening(IPV4 + as4(65002)))
assert answer == "established", answer
session.send(message(3, bytes.fromhex(sys.argv[1])))
while session.receive()[0]:
    pass
X
  inside birdc -s /tmp/bird.ctl show protocols all p | grep -E 'Last error|Message' | sed -E 's/^ +//; s/: +/: /'
}
differs 'Cease 6/4 with the text hello' $'Message: hello\nLast error: Received: Administrative reset' "$(try 06040568656c6c6f)"
differs 'then hold timer expired' $'Message: hello\nLast error: Received: Hold timer expired' "$(try 0400)"
