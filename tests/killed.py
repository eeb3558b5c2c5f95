"""Does a piece of work once for each of its steps and kills it there: `python tests/killed.py WORK FOLDER EVERY`.

FOLDER/start is what there is before. FOLDER/0, FOLDER/1 … are what kills leave before the first call of SQLite, or the
first file that is opened, written, renamed or removed, before the second, and so on until it gets through; EVERY is 1
for every step and higher to pass over some.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from traceback import print_exc
from typing import Any

from bot.app import open_store
from bot.config import Config
from bot.upkeep import put_back, rotate_key, take_backup
from classifiers.conversation import Account

_SQLITE = (sqlite3.Connection, sqlite3.Cursor)
_SQL = ("execute", "executemany", "executescript", "commit", "backup", "close")
_FILES = ("open", "write", "fsync", "rename", "replace", "unlink", "sendfile")


def _open() -> None:
    open_store(Config(), Path(), {}).close()


def _forget() -> None:
    with closing(open_store(Config(), Path(), {})) as store:
        store.forget(Account("telegram", "47110002"), 20.0)


WORKS: dict[str, Callable[[], object]] = {
    "open": _open,
    "rotate": lambda: rotate_key(None, {}),
    "restore": lambda: put_back(None, {}, Path("backup.db")),
    "backup": lambda: take_backup(None, {}, Path("backup.db")),
    "forget": _forget,
}


def ended(work: Callable[[], object], folder: Path, step: int) -> int:
    """Do the work in a process of its own that is killed at a step; return how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    taken = 0

    def watch(_frame: object, event: str, called: Any) -> None:
        nonlocal taken
        if event != "c_call" or called.__name__ not in (_SQL if isinstance(called.__self__, _SQLITE) else _FILES):
            return
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)
        taken += 1

    try:
        os.chdir(folder)
        sys.setprofile(watch)
        work()
        sys.setprofile(None)
        os._exit(0)
    except BaseException:  # noqa: BLE001 (whatever it is, this process ends here)
        print_exc()
        os._exit(1)


def main() -> None:
    """Kill at every step and say how many there are."""
    work, folder = WORKS[sys.argv[1]], Path(sys.argv[2]).resolve()
    step, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        shutil.copytree(folder / "start", folder / str(step))
        code = ended(work, folder / str(step), step)
        step += int(sys.argv[3])
    print(step)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
