"""The list of behaviours, in the order in which their modules declare them."""

from dataclasses import dataclass
from typing import Callable

BEHAVIOURS = []


@dataclass(frozen=True)
class Behaviour:
    """One fact about AWS: its section in the specification, its sentence, and how to ask."""

    section: str
    name: str
    topic: str
    ask: Callable

    def matches(self, text):
        """Whether `--only TEXT` means this behaviour."""
        return text in self.name or text == self.section or text == self.topic


def behaviour(section, name):
    """Declare the decorated function, which takes a World, as the behaviour `name`."""

    def declare(ask):
        if any(known.name == name for known in BEHAVIOURS):
            raise ValueError(f"two behaviours are called {name!r}")
        topic = ask.__module__.rsplit(".", 1)[-1]
        BEHAVIOURS.append(Behaviour(section, name, topic, ask))
        return ask

    return declare
