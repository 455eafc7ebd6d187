"""Logs in with ncclient and paramiko by each host key and by keyboard-interactive: arguments are host, port, password. Prints "done"."""

import socket
import sys

import paramiko
from ncclient import manager

host, port, password = sys.argv[1:]
wanted = [("ssh-ed25519", "ssh-ed25519"), ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), ("rsa-sha2-512", "ssh-rsa"), ("rsa-sha2-256", "ssh-rsa")]
ours = paramiko.Transport._preferred_keys

for algorithm, kind in wanted:
    paramiko.Transport._preferred_keys = (algorithm,)
    with manager.connect(host=host, port=int(port), username="admin", password=password, hostkey_verify=False,
                         allow_agent=False, look_for_keys=False, timeout=20) as m:
        transport = m._session.transport
        assert transport.host_key_type == algorithm, transport.host_key_type
        assert transport.get_remote_server_key().get_name() == kind
        m.get_config(source="running")

paramiko.Transport._preferred_keys = ("ssh-rsa",)  # with SHA-1
transport = paramiko.Transport(socket.create_connection((host, int(port))))
try:
    transport.start_client(timeout=20)
    raise AssertionError("a signature with SHA-1 was made")
except paramiko.SSHException as err:
    assert "host key" in str(err), err
transport.close()

paramiko.Transport._preferred_keys = ours
transport = paramiko.Transport(socket.create_connection((host, int(port))))
transport.start_client(timeout=20)
asked = []
transport.auth_interactive("admin", lambda title, text, prompts: asked.append(prompts) or [password])
assert transport.is_authenticated() and len(asked) == 1, asked
transport.close()
print("done")
