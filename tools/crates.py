"""The crates of others in what is released: the functions, and the command without its simulator.

Cargo tells them, for the platforms of `deny.toml`. Python's standard library is all that is needed.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# `needs` has the keys (name, version) of the crates that a crate depends on. `checksum` is the
# SHA-256 of its package. `in_binary` is False for what only runs while a binary is built.
Crate = namedtuple("Crate", [
    "name", "version", "license", "repository", "authors", "folder", "checksum", "needs",
    "in_binary",
])


def _read(name):
    with open(os.path.join(ROOT, name), "rb") as file:
        return tomllib.load(file)


def _cargo(*arguments):
    command = ["cargo", *arguments, "--locked"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"error: `{' '.join(command)}` failed")
    return done.stdout


def _tree(packages, targets, edges):
    """The keys of all crates that these packages are built from, over such edges."""
    chosen = [part for name in packages for part in ("-p", name)]
    keys = set()
    for target in targets:
        told = _cargo("tree", *chosen, "--no-default-features", "--target", target,
                      "--edges", edges, "--prefix", "none", "--format", "{p}")
        for line in filter(None, told.splitlines()):
            name, version, *_ = line.split()
            keys.add((name, version.removeprefix("v")))
    return keys


def version():
    """The version of Afterimage."""
    return _read("Cargo.toml")["workspace"]["package"]["version"]


def released():
    """The crates of others in the order of their names, and the keys that our own code needs."""
    targets = _read("deny.toml")["graph"]["targets"]
    platforms = [part for target in targets for part in ("--filter-platform", target)]
    metadata = json.loads(_cargo("metadata", "--format-version", "1", *platforms))
    packages = {package["id"]: package for package in metadata["packages"]}
    checksums = {(package["name"], package["version"]): package.get("checksum")
                 for package in _read("Cargo.lock")["package"]}
    functions = os.path.join(ROOT, "functions", "")
    ours = ["afterimage"] + sorted(package["name"] for package in packages.values()
                                   if package["manifest_path"].startswith(functions))
    in_binary = _tree(ours, targets, "normal,no-proc-macro")
    everything = _tree(ours, targets, "normal,build")

    crates, directly = [], set()
    for node in metadata["resolve"]["nodes"]:
        package = packages[node["id"]]
        key = (package["name"], package["version"])
        if key not in everything:
            continue
        needed = (packages[dependency["pkg"]] for dependency in node["deps"]
                  if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]))
        needs = {(other["name"], other["version"]) for other in needed if other["source"]}
        needs &= everything
        if package["source"] is None:
            directly |= needs
            continue
        if not package["license"]:
            sys.exit(f"error: {key[0]} {key[1]} names no licence")
        crates.append(Crate(
            *key,
            # Some packages have a slash where SPDX has `OR`.
            license=" OR ".join(part.strip() for part in package["license"].split("/")),
            repository=package["repository"],
            authors=package["authors"],
            folder=os.path.dirname(package["manifest_path"]),
            checksum=checksums[key],
            needs=sorted(needs),
            in_binary=key in in_binary,
        ))
    return sorted(crates), sorted(directly)
