"""A BGP speaker of a few lines, which sends what it is told (RFC 4271, RFC 5492)."""
import socket
import struct
import time

IPV4 = bytes([1, 4, 0, 1, 0, 1])  # capability multiprotocol, IPv4 unicast
IPV6 = bytes([1, 4, 0, 2, 0, 1])
REFRESH = bytes([2, 0])


def as4(number):
    return bytes([65, 4]) + struct.pack("!I", number)


def message(kind, body=b""):
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def opening(capabilities, asn=65002, version=4, hold=90, identifier="2.2.2.2"):
    parameter = bytes([2, len(capabilities)]) + capabilities if capabilities else b""
    return message(1, bytes([version]) + struct.pack("!HH", asn, hold) + socket.inet_aton(identifier)
                   + bytes([len(parameter)]) + parameter)


class Session:
    """A TCP connection to a speaker; a speaker that is not ready yet is dialled again."""

    def __init__(self, address="127.0.0.1", port=179, source="127.0.0.2"):
        for left in reversed(range(100)):
            self.socket = socket.socket()
            self.socket.bind((source, 0))
            try:
                self.socket.connect((address, port))
                break
            except OSError:
                self.socket.close()
                if not left:
                    raise
                time.sleep(0.1)
        self.octets = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def receive(self, timeout=5):
        """The next message as (type, body), or (None, why) where none comes."""
        self.socket.settimeout(timeout)
        while True:
            if len(self.octets) >= 19:
                end = struct.unpack("!H", self.octets[16:18])[0]
                if len(self.octets) >= end:
                    first, self.octets = self.octets[:end], self.octets[end:]
                    return first[18], first[19:]
            try:
                more = self.socket.recv(65536)
            except socket.timeout:
                return None, b"nothing"
            except ConnectionResetError:
                return None, b"reset"
            if not more:
                return None, b"closed"
            self.octets += more

    def close(self):
        self.socket.close()


def handshake(first, **where):
    """Sends an OPEN and says what the speaker does: (session, 'established' or its NOTIFICATION)."""
    for _ in range(50):
        session = Session(**where)
        try:
            session.send(first)
        except OSError:
            time.sleep(0.2)
            continue
        while True:
            kind, body = session.receive()
            if kind == 1:
                session.send(message(4))
            elif kind == 4:
                return session, "established"
            elif kind == 3:
                return session, "NOTIFICATION %d/%d data %s" % (body[0], body[1], body[2:].hex() or "none")
            else:
                break
        session.close()  # not ready for this peer yet
        time.sleep(0.2)
    return None, "no answer"
