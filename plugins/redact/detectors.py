"""What is found in a text, and where it ends.

Every pattern takes linear time: a repeat either gives nothing back (`++`) or has an
upper bound, and begins only where a run of its characters begins. In front of each
stands a cheap test that most texts fail.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Literal

Kind = Literal["email", "card", "ip", "token", "secret"]

Mark = Callable[[str, str], str]
"""Kind and value found → what stands there instead."""

Detector = Callable[[str, Mark], str]

SECRET_NAMES = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token", "authorization"),
    *("apikey", "accesskey", "secretkey", "privatekey", "clientsecret", "cookie"),
    *("accesstoken", "refreshtoken", "authtoken", "sessiontoken", "setcookie"),
)
"""Fields with these names, `-`, `_` and case apart, are replaced as a whole."""

_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]++(?:\.[\w-]++)++")
_CARD_FORMS = (
    r"(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{4}([ -])\d{6}\2\d{4,5})(?![^\W_])"
)
_CARD = re.compile(rf"(?<![^\W_])(?<!\d[.]){_CARD_FORMS}", re.ASCII)
_CARD_HERE = re.compile(_CARD_FORMS, re.ASCII)
_CARD_HINT = re.compile(r"[0-9][0-9 -]{12}")
_CARD_BRAND = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"
    r"|35\d{14,17}|62\d{14,17}"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(
    rf"(?<!\w)(?<!\d\.)(?:{_OCTET}\.){{3}}{_OCTET}(?!\w)(?!\.\d)", re.ASCII
)
_IPV6_RUN = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}+:[0-9A-Fa-f:.]++(?!\w)")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]++\.[\w-]++(?:\.[\w-]*+)*+")
_BEARER = re.compile(r"(?i)\b(bearer|basic)([ \t]{1,4})([\w.~+/=-]{8,}+)")
_API_KEY = re.compile(
    r"(?<![^\W_])(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsur]_\w{20,}+|github_pat_\w{20,}+"
    r"|glpat-[\w-]{20,}+|xox[abeoprs]-[\w-]{10,}+|[prs]k_(?:live|test)_\w{10,}+"
    r"|sk-[\w-]{20,}+|AIza[\w-]{30,}+)",
    re.ASCII,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.*?"
    r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_PAIR = re.compile(
    r"(?i)(password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|secret[_-]?access[_-]?key)(\\?[\"']?[ \t]{0,4}[=:][ \t]{0,4})"
    r"(\\\"(?:[^\"\\]|\\[^\"])*+(?:\\\")?|\"(?:[^\"\\]|\\.)*+\"?|'[^']*+'?"
    r"|[^\s\"'&,;\\]++)"
)
_USER_INFO = re.compile(r"(://[^/\s:@]{0,256}+:)([^/\s@]{1,1024}+)(?=@)")
_HASH_END = re.compile(r"[0-9a-f]{12}\]")
_MARKED = re.compile(r"\\?[\"']?\[[\w-]+(?::[0-9a-f]{12})?\]\\?[\"']?")


def cannot_match(text: str) -> bool:
    """Whether no detector here can find anything; most words and names end here."""
    return len(text) < 13 and text.isalnum()


def _emails(text: str, mark: Mark) -> str:
    if "@" not in text:
        return text
    return _EMAIL.sub(lambda found: mark("email", found[0]), text)


def _cards(text: str, mark: Mark) -> str:
    if not _CARD_HINT.search(text):
        return text
    position, parts, done = 0, [], 0
    found = _CARD.search(text)
    while found:
        if card := _card_in(found[0]):
            parts += [text[done : found.start()], mark("card", card)]
            position = done = found.start() + len(card)
        else:
            position = found.start() + 1
        behind_card = done > 0 and position == done and text[done : done + 1] == "."
        # Digits behind `1.` are a fraction's, but not where the `1` was a card's.
        found = _CARD_HERE.match(text, done + 1) if behind_card else None
        found = found or _CARD.search(text, position)
    return "".join([*parts, text[done:]]) if parts else text


def _card_in(found: str) -> str | None:
    """`4111 1111 1111 1111 999` may be nineteen digits, or a card and a number."""
    if is_card(re.sub(r"[ -]", "", found)):
        return found
    head = found.rpartition(found[4])[0]
    grouped = not found[4].isdigit() and len(found) == len("4111 1111 1111 1111 999")
    return head if grouped and is_card(re.sub(r"[ -]", "", head)) else None


def is_card(digits: str) -> bool:
    """Whether it has a card network's prefix and length, and Luhn's check digit."""
    if not _CARD_BRAND.fullmatch(digits):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _addresses(text: str, mark: Mark) -> str:
    if text.count(".") >= 3:
        text = _IPV4.sub(lambda found: mark("ip", found[0]), text)
    if text.count(":") >= 2:
        text = _IPV6_RUN.sub(lambda found: _ipv6(found[0], mark), text)
    return text


def _ipv6(run: str, mark: Mark) -> str:
    """`run` ends where the characters do: `fe80::1:` is an address and a colon."""
    address = run.rstrip(".")
    if address.endswith(":") and not address.endswith("::"):
        address = address[:-1]
    if "::" not in address and address.count(":") < 6:
        return run
    # `dead::beef` may be a name in a program; `::` alone is no address of anybody.
    if not any(one.isdigit() for one in address):
        return run
    try:
        IPv6Address(address)
    except AddressValueError:
        return run
    return mark("ip", address) + run[len(address) :]


def _tokens(text: str, mark: Mark) -> str:
    if "PRIVATE KEY-----" in text:
        text = _PRIVATE_KEY.sub(lambda found: mark("token", found[0]), text)
    if "eyJ" in text:
        text = _JWT.sub(lambda found: mark("token", found[0]), text)
    if "_" in text or "-" in text or "AKIA" in text or "ASIA" in text or "AIza" in text:
        text = _API_KEY.sub(lambda found: mark("token", found[0]), text)
    if "bearer" in (lower := text.lower()) or "basic" in lower:
        text = _BEARER.sub(
            lambda found: f"{found[1]}{found[2]}{mark('token', found[3])}", text
        )
    return text


def _secrets(text: str, mark: Mark) -> str:
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(lambda found: found[1] + _once(found[2], mark), text)
    if ("=" in text or ":" in text) and _may_name_secret(text.lower()):
        text = _PAIR.sub(lambda found: _pair(found, mark), text)
    return text


def _may_name_secret(lower: str) -> bool:
    return (
        "pass" in lower
        or "token" in lower
        or "secret" in lower
        or "key" in lower
        or "pwd" in lower
    )


def _pair(found: re.Match[str], mark: Mark) -> str:
    name, sign, value = found.groups()
    # `[token:5d41402abc4b]` was written by us, and sudo's PWD=/root is a folder.
    ours = found.string[found.start() - 1 : found.start()] == "["
    if (ours and _HASH_END.match(value)) or (name.lower() == "pwd" and value[0] == "/"):
        return found[0]
    return f"{name}{sign}{_once(value, mark)}"


def _once(value: str, mark: Mark) -> str:
    """Leave what was marked already; keep the quotes around a value."""
    if _MARKED.fullmatch(value):
        return value
    quote = re.match(r"\\?[\"']?", value)
    assert quote is not None
    inner = value[quote.end() :]
    closed = bool(quote[0]) and inner.endswith(quote[0])
    inner = inner.removesuffix(quote[0]) if closed else inner
    return quote[0] + mark("secret", inner) + (quote[0] if closed else "")


# Secrets first: what stands in front of an `@` may be a password.
DETECTORS: dict[Kind, Detector] = {
    "token": _tokens,
    "secret": _secrets,
    "email": _emails,
    "card": _cards,
    "ip": _addresses,
}


def is_secret(name: str, value: Any) -> bool:
    """Whether a field is to be replaced as a whole, for its name."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return False
    return _names_secret(name) and value != "" and not _MARKED.fullmatch(str(value))


@lru_cache(maxsize=4096)
def _names_secret(name: str) -> bool:
    plain = name.rpartition(".")[2].replace("_", "").replace("-", "").lower()
    return plain in SECRET_NAMES
