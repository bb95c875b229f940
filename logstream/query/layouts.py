"""What may be known of entries, for SQL that is made for them."""

from collections.abc import Set as AbstractSet

import msgspec


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of the entries that the SQL will run over, to make it faster.

    Without it, the SQL is right for any entries and never fails.
    """

    keys: AbstractSet[str] | None = None
    """All keys at the top of `fields` in any of the entries; None: not known. A field
    that is in none costs nothing then, and a dotted name one look instead of two."""

    hopeful: bool = False
    """Use casts that are pushed down into shredded columns, 5 to 20 times faster, and
    that fail the whole statement with an error of DuckDB if a value does not cast: a
    text that is no number where numbers are compared, or an object with two keys that
    differ only in case. Then run the SQL that is not hopeful: it is right whatever the
    values are, and for mixed ones faster too."""

    nullable: bool = False
    """NULL stands for FALSE too, as it does behind WHERE: a look less at each field."""


ANY_LAYOUT = Layout()
HOPEFUL = Layout(hopeful=True)
BEHIND_WHERE = Layout(hopeful=True, nullable=True)
