"""Who may change a file: whoever can swap the model decides what Haven sees."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path

from classifiers.errors import InputError

_CODE = Path(__file__).stat().st_uid


def check(file: Path) -> None:
    """InputError, with the command that mends it, when other users may write a file or its folder.

    Trusted are root, the account that runs Haven, and whoever owns Haven's code, who could change that instead. What
    cannot be looked at is left to whoever reads it.
    """
    if sys.platform == "win32":
        return  # rights are kept otherwise there
    me = os.geteuid()
    trusted = {0, me, _CODE}
    real = file.resolve()
    for path in (real, real.parent):
        try:
            found, system = path.stat(), os.statvfs(path)
        except OSError:
            return
        if system.f_flag & os.ST_RDONLY:
            continue
        sudo = "" if me in (0, found.st_uid) else "sudo "
        if found.st_uid not in trusted:
            wrong, mend = "belongs to another user, who could swap the model", f"{sudo}chown {me}"
        elif _others_write(found):
            wrong, mend = "other users may write here, and so swap the model", f"{sudo}chmod go-w"
        else:
            continue
        raise InputError(f"{path}: {wrong}; run: {mend} {shlex.quote(str(path))}")


def _others_write(found: os.stat_result) -> bool:
    """Return whether others may write; a folder such as /tmp lets nobody touch what is not theirs."""
    if found.st_mode & stat.S_ISVTX and stat.S_ISDIR(found.st_mode):
        return False
    group = found.st_mode & stat.S_IWGRP and not _is_private(found.st_uid, found.st_gid)
    return bool(found.st_mode & stat.S_IWOTH or group)


def _is_private(user: int, group: int) -> bool:
    """Return whether a group is its user's own, as many systems give each of their users one."""
    if sys.platform == "win32":
        return False
    import grp
    import pwd

    try:
        name, found = pwd.getpwuid(user).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and {*found.gr_mem} <= {name}
