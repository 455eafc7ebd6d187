#!/usr/bin/env bash
# RFC 9072 lets an OPEN carry more than 255 octets of optional parameters: a length of 255, a parameter type of 255,
# then 2-octet lengths; the form is legal for short OPENs too (section 2). BIRD 2.0.12 and FRR 8.4.4 take it. GoBGP 3.10
# answers Bad Message Length (1/2). tshark 4.0.17 reads it in the old form and shows an Authentication parameter that
# the message does not have, and no capability.
set -euo pipefail
. "$(dirname "$0")/lib/lab.sh"
lab bookworm bird2=2.0.12-7 gobgpd=3.10.0-1+b4 frr=8.4.4-1.1~deb12u2 tshark=4.0.17-0+deb12u3 wireshark-common=4.0.17-0+deb12u3
three
try() { # a port, or "hex" for the message itself
  python3 - "$1" <<'X'
import socket, struct, sys
from bgp import IPV4, as4, handshake, message
capabilities = IPV4 + as4(65002)
parameter = struct.pack("!BH", 2, len(capabilities)) + capabilities
extended = message(1, struct.pack("!BHH", 4, 65002, 90) + socket.inet_aton("2.2.2.2")
                   + struct.pack("!BBH", 255, 255, len(parameter)) + parameter)
print("000000 " + extended.hex(" ") if sys.argv[1] == "hex" else handshake(extended, port=int(sys.argv[1]))[1])
X
}
differs BIRD established "$(try 179)"
differs FRR established "$(try 1791)"
differs GoBGP 'NOTIFICATION 1/2 data none' "$(try 1790)"
try hex >"$ROOT/tmp/open.txt"
inside text2pcap -q -T 40000,179 /tmp/open.txt /tmp/open.pcap 2>/dev/null
differs tshark 'Unknown Parameter 255, Unknown Parameter 15, Unknown Parameter 0, Authentication, Unknown Parameter 65, Unknown Parameter 0, Unknown Parameter 253' \
  "$(inside tshark -r /tmp/open.pcap -V 2>/dev/null | sed -nE 's/ +Optional Parameter: //p' | paste -sd, | sed 's/,/, /g')"
