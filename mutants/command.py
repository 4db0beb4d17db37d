# SPDX-License-Identifier: GPL-2.0
"""How the kernel "um" compiles a file of the layer."""
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scripts"))
from lane import BUILD  # noqa: E402

PRIME = os.path.join(BUILD, "src/drivers/gpu/drm/prime")
KERNEL = os.path.join(BUILD, "um")
# Mutants are made of these by rule.
FOLDERS = ("core", "gem", "account", "try")
# Patches may change these, too.
NAMED_ONLY = ("negotiate",)


def kernel_command(path):
    """The command that compiled a file (core/attach.c), as a list; None if the kernel has no object of it."""
    folder, name = os.path.split(path)
    try:
        with open(os.path.join(KERNEL, "drivers/gpu/drm/prime", folder, f".{name[:-2]}.o.cmd"), encoding="utf-8") as file:
            return shlex.split(file.readline().split(":=", 1)[1])
    except FileNotFoundError:
        return None


def compile_command(path, source, target):
    """The command for another file in its place, which finds the headers that the file finds."""
    words = kernel_command(path)
    original = words[-1]
    words[words.index("-o") + 1] = target
    # Without the list of dependencies, and without warnings of what a mutant makes of a condition.
    words = [w for w in words[:-1] if not w.startswith("-Wp,-MMD")]
    return [*words, "-w", "-iquote", os.path.dirname(original), source]


if __name__ == "__main__":
    print(shlex.join(compile_command(*sys.argv[1:])))
