"""What judges have said, kept between runs by content.

A file of SQLite, for any number of processes: an entry is there whole or not at all. It holds hashes of prompts and
what was made of them; no key, no prompt, and nothing of calls that gave no rating.
"""

import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from temperament.errors import BadFileError, UnwritableError, WorkError

# Another process holds the file for the time of one entry.
PATIENCE_S = 60.0
# SQLite takes no more values in one question, in older builds.
AT_ONCE = 500
_TABLE = "CREATE TABLE IF NOT EXISTS verdict (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class Cache:
    """Texts by key.

    Args:
        path: of the file, which is made with its folder.

    Raises:
        BadFileError: there is another kind of file.
        UnwritableError: the folder cannot be made.
        WorkError: the file cannot be used for another reason, such as a full disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableError(path, error) from error
        with self._opened() as connection:
            connection.execute(_TABLE)

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """What is kept under some keys; those that are not known are left out."""
        wanted, found = list(dict.fromkeys(keys)), dict[str, str]()
        with self._opened() as connection:
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                found.update(connection.execute(f"SELECT key, value FROM verdict WHERE key IN ({marks})", some))
        return found

    def keep(self, entries: Mapping[str, str]) -> None:
        """Add entries, all or none; what is there already stays."""
        if entries:
            with self._opened() as connection:
                connection.executemany("INSERT OR IGNORE INTO verdict VALUES (?, ?)", entries.items())

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        # One connection a transaction: nothing is left open in threads, children or at the end.
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE_S)) as connection, connection:
                yield connection
        except sqlite3.OperationalError as error:
            message = (
                f"{self.path}, where what a judge said is kept, cannot be used: {error}. Make room, or name another."
            )
            raise WorkError(message) from error
        except sqlite3.DatabaseError as error:
            message = (
                f"{self.path}, where what a judge said is kept, is no such file or damaged: {error}. Remove it; what "
                f"it held is asked again."
            )
            raise BadFileError(message) from error
