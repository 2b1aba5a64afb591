"""Runs the behaviours one after the other and prints one JSON line for each."""

import argparse
import importlib
import json
import os
import pkgutil
import sys
import traceback

import botocore.session

from . import behaviours, selftest
from .checker import Checker
from .control import Control
from .registry import BEHAVIOURS
from .world import UNDECLARED_KEY, World

# A message is for a reader of one line; the whole of it is on stderr.
MESSAGE_LENGTH_MAX = 600
VIOLATIONS_SHOWN_MAX = 5


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--endpoint", metavar="URL", help="where the cloud listens")
    parser.add_argument("--only", metavar="SUBSTRING",
                        help="behaviours whose name contains this, or of this section or topic")
    parser.add_argument("--list", action="store_true", help="print the behaviours, ask nothing")
    parser.add_argument("--selftest", action="store_true", help="test the checker, ask nothing")
    parser.add_argument("--first-account", type=int, default=210000000000, metavar="N",
                        help="accounts are numbered from here, one for each behaviour")
    return parser.parse_args()


def _report(name, section, ok, message):
    line = {"name": name, "section": section, "ok": ok, "message": message}
    print(json.dumps(line), flush=True)


def _load():
    for module in pkgutil.iter_modules(behaviours.__path__):
        importlib.import_module(f"{behaviours.__name__}.{module.name}")


def _environment():
    """Nothing of the caller's AWS set-up may leak into the run."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_ACCESS_KEY_ID"] = UNDECLARED_KEY
    os.environ["AWS_SECRET_ACCESS_KEY"] = "not-checked"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def _ask(behaviour, world, checker):
    """The message of the failure, or the empty string."""
    message = ""
    try:
        behaviour.ask(world)
    except Exception as problem:
        print(f"--- {behaviour.section} {behaviour.name}", file=sys.stderr)
        traceback.print_exc()
        message = f"{type(problem).__name__}: {problem}"
    world.close()
    violations = checker.take()
    for violation in violations:
        print(f"--- {behaviour.name}: {violation}", file=sys.stderr)
    if violations and not message:
        shown = violations[:VIOLATIONS_SHOWN_MAX]
        message = f"{len(violations)} violations: " + "; ".join(shown)
    return message


def _run(arguments, chosen):
    control = Control(arguments.endpoint)
    control.health()
    session = botocore.session.Session()
    checker = Checker()
    checker.hook(session)
    failed = 0
    for number, behaviour in enumerate(chosen):
        account = str(arguments.first_account + 1000 * number)
        world = World(arguments.endpoint, control, session, checker, account)
        message = _ask(behaviour, world, checker)
        failed += bool(message)
        _report(behaviour.name, behaviour.section, not message, message[:MESSAGE_LENGTH_MAX])
    return len(chosen) - failed, failed


def main():
    """The exit status: 0 when everything holds, 1 when something does not, 2 for bad usage."""
    arguments = _arguments()
    _environment()
    if arguments.selftest:
        results = list(selftest.run())
        for name, ok, message in results:
            _report(name, "checker", ok, message)
        failed = sum(not ok for _, ok, _ in results)
        passed = len(results) - failed
    else:
        _load()
        chosen = [b for b in BEHAVIOURS if arguments.only is None or b.matches(arguments.only)]
        if arguments.list:
            for behaviour in chosen:
                print(f"{behaviour.section}\t{behaviour.topic}\t{behaviour.name}")
            return 0
        if arguments.endpoint is None or not chosen:
            print("--endpoint is missing, or --only matches nothing", file=sys.stderr)
            return 2
        passed, failed = _run(arguments, chosen)
    print(json.dumps({"passed": passed, "failed": failed}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
