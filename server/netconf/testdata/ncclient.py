"""A session of ncclient: arguments are host, port, password, and three pieces of configuration. Prints "done"."""

import sys

from ncclient import manager
from ncclient.operations import RPCError

host, port, password, vpn, many, one = sys.argv[1:]
NC = "urn:ietf:params:xml:ns:netconf:base:1.0"


def config(content):
    return '<config xmlns="%s">%s</config>' % (NC, content)


def expect(tag, call):
    try:
        call()
    except RPCError as err:
        assert err.tag == tag, "%s instead of %s: %s" % (err.tag, tag, err)
        return err
    raise AssertionError("no error where %s must be" % tag)


with manager.connect(host=host, port=int(port), username="admin", password=password, hostkey_verify=False,
                     allow_agent=False, look_for_keys=False, timeout=20) as m:
    assert ":candidate" in m.server_capabilities and ":validate:1.1" in m.server_capabilities
    with m.locked("candidate"):
        m.edit_config(target="candidate", config=config(vpn + many))
        m.validate(source="candidate")
        m.commit()
        m.edit_config(target="candidate", config=config(one))
        m.discard_changes()
    m.edit_config(target="running", config=config(one))
    data = m.get_config(source="running").data_xml
    assert data.count("<peer>") == 1001 and "d\u00e9p\u00f4t" in data, len(data)
    state = m.get(filter=("subtree", '<bgp xmlns="urn:mooring:yang:bgp"/>')).data_xml
    assert "<session-state>" in state
    empty = m.get_config(source="running", filter=("subtree", '<x xmlns="urn:x"/>')).data_xml
    assert "<x" not in empty
    expect("lock-denied", lambda: (m.lock("running"), m.lock("running")))
    m.unlock("running")
    expect("invalid-value", lambda: m.kill_session("4711"))
    err = expect("data-exists", lambda: m.edit_config(
        target="running", config=config(one.replace("<peer>", '<peer xmlns:nc="%s" nc:operation="create">' % NC))))
    assert "10.1.1.2" in err.path, err.path
print("done")
