"""Fuzzes a target, guided by coverage: `python tests/hostile/fuzz.py TARGET [SECONDS]`; see CONTRIBUTING.md.

What breaks a property is written as `crash-…` to a new folder, and replayed by its path in place of SECONDS.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

with atheris.instrument_imports(include=["bot", "classifiers", "joblib.numpy_pickle"]):
    from hostile.targets import CHUNKS, CORPORA, TARGETS

if __name__ == "__main__":
    name, what = sys.argv[1], [*sys.argv[2:], "60"][0]
    if Path(what).is_file():
        TARGETS[name](Path(what).read_bytes())
        sys.exit()
    # libFuzzer writes what it finds interesting into the first folder; the corpus in the tests is only read.
    found = mkdtemp(prefix=f"haven-fuzz-{name}-")
    sys.stderr.write(f"{name}: interesting inputs go to {found}\n")
    known = Path(found, "dictionary")
    pieces = [chunk.encode("utf-8", "surrogatepass") for chunk in CHUNKS]
    known.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in piece) + '"\n' for piece in pieces))
    limits = [
        f"-dict={known}",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-max_len=4096",
        "-print_final_stats=1",
        f"-artifact_prefix={found}/",
        f"-max_total_time={what}",
    ]
    atheris.Setup([sys.argv[0], found, str(CORPORA / name), *limits], TARGETS[name])
    atheris.Fuzz()
