"""A second opinion on event patterns.

Reads a table of rows with a pattern and an event each, lets moto judge every row, and prints one
JSON line per row: {"row": n, "matches": bool} or {"row": n, "unsupported": reason}.

Usage: python patterns_moto.py TABLE.json
Needs: moto[events]==5.2.5
"""

import json
import sys

from moto.events.models import EventPattern


def judge(row):
    try:
        pattern = EventPattern.load(json.dumps(row["pattern"]))
        return {"matches": bool(pattern.matches_event(row["event"]))}
    except Exception as error:
        # Whatever moto cannot digest is no verdict, and the table has to say so.
        return {"unsupported": f"{type(error).__name__}: {error}"}


def main(table_path):
    with open(table_path, encoding="utf-8") as table:
        rows = json.load(table)
    for number, row in enumerate(rows):
        print(json.dumps({"row": number, **judge(row)}))


if __name__ == "__main__":
    main(sys.argv[1])
