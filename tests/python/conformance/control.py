"""The control API of the cloud: the clock, the trace and what else no AWS client can ask."""

import requests

# An advance answers only when everything due by then has happened, so it may take a while.
TIMEOUT_SECONDS = 120


class Control:
    """A client for `/_cloud/` of one server."""

    def __init__(self, endpoint):
        self.base = endpoint.rstrip("/") + "/_cloud"
        self.http = requests.Session()
        # The server is on loopback, whatever proxy the environment names.
        self.http.trust_env = False

    def _call(self, method, path, body=None):
        url = f"{self.base}/{path}"
        answer = self.http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def health(self):
        """Succeeds when the server serves."""
        return self._call("GET", "health")

    def now(self):
        """The virtual time, as the text the server sends."""
        return self._call("GET", "clock")["now"]

    def advance(self, seconds):
        """Move virtual time on; afterwards everything due by then has happened."""
        return self._call("POST", "clock", {"advance_seconds": seconds})

    def trace(self):
        """Every call and event so far."""
        return self._call("GET", "trace")

    def dead_letters(self):
        """Every event that could not be delivered."""
        return self._call("GET", "dead-letters")

    def faults(self, rules):
        """Replace the rules by which calls and events go wrong."""
        return self._call("PUT", "faults", rules)

    def region(self, region, up):
        """Let a region go dark, or bring it back."""
        return self._call("POST", f"regions/{region}", {"up": up})

    def account(self, account):
        """Declare an administrator's access key for an account."""
        return self._call("POST", "accounts", {"account": account})["access_key"]

    def role(self, arn, policies):
        """Declare a role, in which a rule may then act on its targets."""
        return self._call("POST", "roles", {"arn": arn, "policies": policies})
