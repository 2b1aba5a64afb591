#!/usr/bin/env python3
"""Prints the notices of third parties that go with released binaries.

    python3 tools/notices.py > NOTICES.txt

They name the crates in the functions and in the command without its simulator, for Linux, with the
text of each licence and notice that their packages have.
"""

import os
import re
import sys

import crates

TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
PACKAGE_FILES = (".rs", ".toml", ".go", ".c", ".h", ".py")

# The standard library is in every binary, and no crate.
STANDARD_LIBRARY = ("the Rust standard library", "MIT OR Apache-2.0", "https://www.rust-lang.org",
                    "The Rust Project Developers")


def texts(folder):
    """The texts of licences and notices below the folder of a package."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if TEXT.match(name) and not name.endswith(PACKAGE_FILES):
                with open(os.path.join(place, name), encoding="utf-8", errors="replace") as file:
                    found.append(clean(file.read()))
    return found


def clean(text):
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def mit(holder):
    """The text of MIT, which differs from ours in who holds the rights."""
    with open(os.path.join(crates.ROOT, "LICENSE-MIT"), encoding="utf-8") as file:
        text, count = re.subn(r"Copyright.*", f"Copyright (c) {holder}", file.read())
    assert count == 1, "LICENSE-MIT has one line with a copyright"
    return clean(text)


def main():
    found = [crate for crate in crates.released()[0] if crate.in_binary]
    by_text, heads = {}, []
    apache = next(texts(crate.folder)[0] for crate in found if crate.name == "aws-config")
    name, license, address, holder = STANDARD_LIBRARY
    heads.append(f"{name}: {license}, {address}")
    by_text[mit(holder)] = [name]
    for crate in found:
        name = f"{crate.name} {crate.version}"
        heads.append(f"{name}: {crate.license}, {crate.repository or 'https://crates.io'}")
        own = texts(crate.folder)
        # Some packages come without the text of their licence. It is that of its name.
        if not own and "MIT" in crate.license.split():
            own = [mit(", ".join(crate.authors) or f"the authors of {crate.name}")]
        elif not own and crate.license == "Apache-2.0":
            own = [apache]
        elif not own:
            sys.exit(f"error: the package of {name} has no text of its licence {crate.license}")
        for text in own:
            users = by_text.setdefault(text, [])
            if name not in users:
                users.append(name)

    print("Notices of third parties\n")
    print("The functions of Afterimage and its command, without the simulator, contain:\n")
    print("\n".join(f"- {head}" for head in heads))
    for text, users in by_text.items():
        print("\n" + "=" * 80)
        print(f"{', '.join(users)}:\n\n{text}")


if __name__ == "__main__":
    main()
