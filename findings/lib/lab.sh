# For the scripts of this folder: pinned Debian packages in a temporary folder, run in a network
# namespace of their own, which holds only loopback. Needs root, apt-get and iproute2.
#
#   . "$(dirname "$0")/lib/lab.sh"
#   lab bookworm bird2=2.0.12-7 frr=...     # fetches, then goes on in the namespace
#   daemon bird -f ...                      # starts a program of those packages, ended with the script
#   inside birdc ...                        # runs one and waits

here=$(dirname "$(readlink -f "$0")")

lab() { # release, package=version...
  if [ -z "${LAB:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "$0 needs root (chroot, network namespace)" >&2; exit 2; }
    LAB=$(mktemp -d)
    trap 'rm -rf "$LAB"' EXIT
    local release=$1
    shift
    printf "$release %s\n" "$@" >"$LAB/pins"
    printf 'with %s of Debian %s\n' "$*" "$release"
    XDG_CACHE_HOME=$LAB "$here/../tests/netlab/unpack-debian" "$LAB/pins" >"$LAB/fetch.log" 2>&1 ||
      { tail -n 5 "$LAB/fetch.log" >&2; exit 2; }
    export LAB ROOT=$LAB/mooring/debian/$release PYTHONPATH=$here/lib PYTHONDONTWRITEBYTECODE=1
    unshare --net --mount bash -c 'ip link set lo up && exec "$0"' "$0"
    exit
  fi
  mkdir -p "$ROOT/tmp" "$ROOT/run"
  mount -t tmpfs tmpfs "$ROOT/run"
  mount --rbind /dev "$ROOT/dev"
  mount -t proc proc "$ROOT/proc"
  trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null' EXIT
}

inside() { chroot "$ROOT" "$@"; }

daemon() { chroot "$ROOT" "$@" >"$ROOT/tmp/daemon.log" 2>&1 & }

# differs ends the script with an error where what was seen is not what is known.
differs() { # what, expected, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$2" = "$3" ] || { printf 'CHANGED, it was: %s\n' "$2" >&2; exit 1; }
}

# vty asks FRR's bgpd, at the socket in /tmp of the packages' folder.
vty() { # command
  python3 - "$ROOT/tmp/bgpd.vty" "$1" <<'X'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for command in "enable", sys.argv[2]:
    s.sendall(command.encode() + b"\0")
    answer = b""
    while not (len(answer) >= 4 and answer[-4:-1] == b"\0\0\0"):
        answer += s.recv(65536)
print(answer[:-4].decode())
X
}

# three starts BIRD at port 179, GoBGP at 1790 and FRR's bgpd at 1791 of 127.0.0.1, AS 65001, which wait for 127.0.0.2, AS 65002.
three() {
  cat >"$ROOT/tmp/bird.conf" <<'X'
router id 1.1.1.1;
protocol device {}
protocol bgp p { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65002; passive; multihop; ipv4 { import none; export none; }; }
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
}
