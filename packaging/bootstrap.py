#!/usr/bin/env python3
"""Set Isocenter up in a private environment, then run it or its tests. Needs Python 3.11 or later and nothing else.

    python3 packaging/bootstrap.py run [SCAN ...]   the window with the sample scan or yours; a prediction if no display
    python3 packaging/bootstrap.py test [ARG ...]   all checks of the project; ARGs go to pytest
    python3 packaging/bootstrap.py install          the environment and an entry in the desktop's menu; starts nothing

Everything lands in .venv beside this folder; delete that to start over. A second run takes seconds.
"""

# Old Pythons must get as far as the message below, so this file keeps to what they can parse.
import os
import shutil
import sys

OLDEST = (3, 11)


def main(arguments):
    if sys.version_info < OLDEST:
        return with_newer_python(arguments)
    import setup_commands

    return setup_commands.main(arguments, usage=__doc__)


def with_newer_python(arguments):
    """Start again with a newer Python of this machine, or say that one is needed."""
    for minor in (13, 12, 11, 14):
        newer = shutil.which("python3.%d" % minor)  # noqa: UP031
        if newer:
            os.execv(newer, [newer, os.path.abspath(__file__)] + arguments)  # noqa: RUF005
    sys.stderr.write(
        "Isocenter needs Python %d.%d or later; this is %s (%s), and no newer one was found.\n"  # noqa: UP031
        "Install one from python.org or your system's packages, then run this again with it:\n"
        "    python3.12 packaging/bootstrap.py %s\n"
        % (OLDEST[0], OLDEST[1], sys.version.split()[0], sys.executable, " ".join(arguments))
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
