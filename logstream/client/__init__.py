"""The Python library: `logstream.open("data")` and `logstream.connect("http://…")`.

import logstream

with logstream.open("data") as db:
print(db.query("level:error | stats count() by source"))
frame = db.sql("SELECT source, fields.took::double AS took FROM logs").df()
"""

from logstream.client.answer import Answer
from logstream.client.database import Database, connect, open_folder
from logstream.client.incomplete import IncompleteAnswer

__all__ = ["Answer", "Database", "IncompleteAnswer", "connect", "open_folder"]
