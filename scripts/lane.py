# SPDX-License-Identifier: GPL-2.0
"""For the checkers: where things are, as scripts/lib.sh says, and what is expected on this lane (LANE=7.3 or 6.12)."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_said = subprocess.run(["bash", "-c", '. "$1/scripts/lib.sh" && printf "%s\\n" "$lane" "$build" "$machines"', sys.argv[0], TOP],
                       stdout=subprocess.PIPE, text=True, check=False)
if _said.returncode:
    sys.exit(_said.returncode)
LANE, BUILD, MACHINES = _said.stdout.splitlines()
MACHINES = MACHINES.split()


def die(why):
    """Ends the program: it could not do its work."""
    print(f"{os.path.basename(sys.argv[0])}: {why}", file=sys.stderr)
    sys.exit(2)


def expected_lines(path):
    """The lines of an expectations file that hold on this lane; "6.12: LINE" is for 6.12 only. A missing file has no lines."""
    lines = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                other, line = re.match(r"(?:(\d+\.\d+): )?(.*)", line.strip()).groups()
                if other in (None, LANE):
                    lines.append(line)
    return lines
