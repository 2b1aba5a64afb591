#!/usr/bin/env python3
"""Prints a software bill of materials: CycloneDX 1.6, as JSON.

    python3 tools/sbom.py > sbom.json

It has the crates of the functions and of the command without its simulator, for Linux. The scope
of those that only run while a binary is built, such as macros, is `excluded`. The same Cargo.lock
gives the same document, so that two builds can be compared.
"""

import json
import uuid

import crates


def purl(key):
    # `+` begins the build metadata of a version, and a purl has it escaped.
    return f"pkg:cargo/{key[0]}@{key[1]}".replace("+", "%2B")


def component(crate):
    shown = {
        "type": "library",
        "bom-ref": purl(crate),
        "name": crate.name,
        "version": crate.version,
        "scope": "required" if crate.in_binary else "excluded",
        "hashes": [{"alg": "SHA-256", "content": crate.checksum}],
        "licenses": [{"expression": crate.license}],
        "purl": purl(crate),
    }
    if crate.repository:
        shown["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return shown


def document():
    found, directly = crates.released()
    version = crates.version()
    root = f"afterimage@{version}"
    needs = [(root, directly)] + [(purl(crate), crate.needs) for crate in found]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": root,
            "name": "afterimage",
            "version": version,
            "licenses": [{"expression": "MIT"}],
        }},
        "components": [component(crate) for crate in found],
        "dependencies": [{"ref": ref, "dependsOn": [purl(key) for key in keys]}
                         for ref, keys in needs],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bom))
    return {"serialNumber": serial.urn, **bom}


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
