r"""Networks: `10.0.0.0/8`, `2001:db8::/32`, and the addresses that lie in one.

IPv4 is one pattern made of the network, for RE2 and Python alike. IPv6 has many
spellings: what has the form of an address is written out in 32 digits, which are
compared as text. An IPv4 address may be written as IPv6, `::ffff:10.0.0.1`.
"""

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_CIDR = re.compile(r"[0-9a-fA-F:.]{2,45}/[0-9]{1,3}")
_HEX: Final = "[0-9a-fA-F]{1,4}"
V6: Final = "|".join(
    [
        f"(?:{_HEX}:){{7}}{_HEX}",
        *(f"(?:{_HEX}:){{1,{n}}}(?::{_HEX}){{1,{7 - n}}}" for n in range(1, 7)),
        f"(?:{_HEX}:){{1,7}}:",
        f":(?::{_HEX}){{1,7}}",
        "::",
    ]
)
"""An IPv6 address without dots, in what RE2 and Python both take."""
_V6 = re.compile(V6)


def network_of(text: str) -> Network | None:
    """The network that a text names; None: it is none. Bits of the host are dropped."""
    if not _CIDR.fullmatch(text):
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def v4_pattern(network: IPv4Network) -> str:
    """All addresses of the network, whole."""
    low = network.network_address.packed
    high = network.broadcast_address.packed
    octets = [_octets(first, last) for first, last in zip(low, high, strict=True)]
    return rf"(?:::[fF]{{4}}:)?{'[.]'.join(octets)}"


def v6_ends(network: IPv6Network) -> tuple[str, str]:
    """The first and the last address, in 32 digits."""
    ends = (network.network_address, network.broadcast_address)
    return f"{int(ends[0]):032x}", f"{int(ends[1]):032x}"


def digits_of(text: str) -> str | None:
    """The 32 digits of an IPv6 address."""
    if not _V6.fullmatch(text):
        return None
    return f"{int(IPv6Address(text)):032x}"


def _octets(low: int, high: int) -> str:
    if (low, high) == (0, 255):
        return _OCTET
    return f"(?:{'|'.join(map(str, range(low, high + 1)))})"
