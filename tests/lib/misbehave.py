# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of peers that misbehave share: changes of a list of extensions, and how a connection is looked at when it is over."""
from tls_bytes import GROUPS, KEY_SHARE, X25519, key_share, numbers, vec16
from tls_peer import Ended

BOTH = ("1.3", "1.2")
MALFORMED = {"decode_error", "illegal_parameter"}
UNEXPECTED = {"unexpected_message"}

# RFC 7748 6.1: points that give a shared secret of zeros, one also with the bit that is ignored; and one that is on no curve.
SMALL_ORDER = [bytes(32), b"\x01" + bytes(31),
               bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
               bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
               bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
               bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7")]
OFF_CURVE = b"\x04" + b"\x01" * 64


# --- Changes of a list of extensions

def without(*kinds):
    return lambda pairs: [pair for pair in pairs if pair[0] not in kinds]


def put(kind, body):
    """Instead of the one that is there, or at the end."""
    def change(pairs):
        if kind in dict(pairs):
            return [(kind, body) if pair[0] == kind else pair for pair in pairs]
        return pairs + [(kind, body)]
    return change


def twice(kind):
    return lambda pairs: pairs + [pair for pair in pairs if pair[0] == kind]


def also(*more):
    return lambda pairs: pairs + list(more)


def share(group, key):
    """A client's only key share, of a group that it offers."""
    return lambda pairs: put(KEY_SHARE, vec16(key_share(group, key)))(put(GROUPS, vec16(numbers(group, X25519)))(pairs))


# --- How it ends

def run(script, peer):
    try:
        script(peer)
    except (Ended, TimeoutError):  # it waits for more, which settle() ends
        pass


def settle(subject, peer, alert, errno, secret, kind="fail"):
    """
    The connection is over: what the peer, the program and the audit have of it. `alert`: the names that will do, or None; `secret`:
    what the program had to say, which is not to be in the clear. Returns the audit's event and what the program told.
    """
    port = peer.address[1]
    peer.finish_sending()
    peer.read_to_end()
    peer.sock.close()
    told, event = subject.told(port), subject.event(kind, port)
    story = f"alert {peer.alert_name}, program {told}, audit {event}"
    assert secret not in peer.raw, f"in the clear: {story}"
    assert kind != "fail" or event["reason"], story
    assert event.get("alert", {}).get("sent") == peer.alert_name, story
    assert (peer.alert_name in alert) if alert else peer.alert is None, f"expected {alert}: {story}"
    assert told["errno"] in errno, f"expected {errno}: {story}"
    return event, told
