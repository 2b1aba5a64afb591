"""Second opinions on schedules.

next    Reads {"expressions": [...], "after": [...], "count": n, "until": end} and prints, for each
        expression, a JSON line with its next n minutes after each of the instants and before the
        end, as aws-croniter works them out: minutes since the epoch, in UTC. An expression that
        aws-croniter cannot digest is answered with {"unsupported": why}.
clocks  Reads {"zones": [...], "years": [first, last], "expressions": [...]} and prints a JSON line
        for each night of those years on which a zone changes its clocks: the zone, the first and
        the last minute that were looked at, and for each expression the minutes at which it runs.
        It walks the minutes one by one, as the clock on the wall shows them.

Usage: python schedules.py next|clocks < question.json
Needs: aws-croniter==2.1.1, tzdata==2026.6
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from aws_croniter import AwsCroniter

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
# A change is looked at from a day before to a day after, so that what leads to it and what follows
# it is seen as well.
AROUND = timedelta(days=1)

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def minutes_of(instant):
    return int((instant - EPOCH).total_seconds()) // 60


def next_minutes(expression, after, count, until):
    try:
        cron = AwsCroniter(expression)
        return [some_after(cron, start, count, until) for start in after]
    except Exception as error:
        # What it cannot digest is no verdict, and the test has to say so.
        return {"unsupported": f"{type(error).__name__}: {error}"}


def some_after(cron, start, count, until):
    """The next minutes, as far as they are before the end."""
    found, at, end = [], EPOCH + MINUTE * start, EPOCH + MINUTE * until
    while len(found) < count and at < end:
        [following] = cron.get_next(at)
        if following is None:
            # It gives up after ten steps from month to month, and is asked again one month on.
            asked = at + MINUTE
            year, month = divmod(asked.year * 12 + asked.month, 12)
            at = datetime(year, month + 1, 1, tzinfo=timezone.utc) - MINUTE
        elif following < end:
            found.append(minutes_of(following))
            at = following
        else:
            break
    return found


def answer_next(question):
    asked = question["after"], question["count"], question["until"]
    for expression in question["expressions"]:
        print(json.dumps(next_minutes(expression, *asked)))


class Wall:
    """An expression as a question that can be put to each minute of a clock on the wall."""

    def __init__(self, expression):
        minute, hour, day, month, weekday, year = expression.upper().split()
        self.minutes = self.values(minute, 0, 59)
        self.hours = self.values(hour, 0, 23)
        self.months = self.values(month, 1, 12, MONTHS)
        self.years = self.values(year, 1970, 2199)
        self.day, self.weekday = day, weekday
        # It follows elapsed time, and so has no business with what a clock shows twice.
        self.elapses = len(self.hours) == 24
        self.dates = {}

    @staticmethod
    def values(text, low, high, names=()):
        def value(text):
            return names.index(text) + low if text in names else int(text)

        found = set()
        for part in text.split(","):
            part, _, step = part.partition("/")
            first, _, last = part.partition("-")
            if part == "*":
                first, last = low, high
            else:
                first = value(first)
                last = value(last) if last else (high if step else first)
            if last < first:
                last += high - low + 1
            for number in range(first, last + 1, int(step or 1)):
                found.add((number - low) % (high - low + 1) + low)
        return found

    def is_on(self, day):
        if day not in self.dates:
            self.dates[day] = self.matches(day)
        return self.dates[day]

    def matches(self, day):
        if day.month not in self.months or day.year not in self.years:
            return False
        if self.weekday == "?":
            return day in self.days_of_month(day)
        number = day.isoweekday() % 7 + 1
        if self.weekday == "L":
            return number == 7
        if self.weekday.endswith("L"):
            same = self.values(self.weekday[:-1], 1, 7, WEEKDAYS)
            return number in same and (day + timedelta(days=7)).month != day.month
        if "#" in self.weekday:
            name, _, nth = self.weekday.partition("#")
            before = [day - timedelta(days=7 * weeks) for weeks in range(6)]
            passed = sum(1 for other in before if other.month == day.month)
            return number in self.values(name, 1, 7, WEEKDAYS) and passed == int(nth)
        return number in self.values(self.weekday, 1, 7, WEEKDAYS)

    def days_of_month(self, day):
        """The dates of the month of a day on which it may run."""
        first = day.replace(day=1)
        month = [first + timedelta(days=count) for count in range(31)]
        month = [other for other in month if other.month == day.month]
        workdays = [other for other in month if other.isoweekday() <= 5]
        if self.day == "LW":
            return workdays[-1:]
        if self.day.startswith("L"):
            back = int(self.day[2:] or 0)
            return [month[-1 - back]] if back < len(month) else []
        if self.day.endswith("W"):
            wanted = int(self.day[:-1])
            if wanted > len(month):
                return []
            # Not two are at the same distance: between a Saturday and a Sunday there is none.
            return [min(workdays, key=lambda other: abs(other.day - wanted))]
        return [other for other in month if other.day in self.values(self.day, 1, 31)]

    def runs_at(self, wall):
        return wall.minute in self.minutes and wall.hour in self.hours and self.is_on(wall.date())


def walls(zone, first, last):
    """What the clock on the wall shows, minute by minute of elapsed time."""
    at = first
    while at <= last:
        yield minutes_of(at), at.astimezone(zone).replace(tzinfo=None)
        at += MINUTE


def slots(expression, shown):
    """Every minute at which it runs.

    A local time that comes again does not count again. Local times that the clock leaves out are
    made up for at the minute at which it jumps over them, all of them at once.
    """
    found, latest = [], None
    for minute, wall in shown:
        if expression.elapses:
            due = expression.runs_at(wall)
        elif latest is None:
            due = expression.runs_at(wall)
            latest = wall
        else:
            due, skipped = False, latest + MINUTE
            while skipped <= wall:
                due = due or expression.runs_at(skipped)
                skipped += MINUTE
            latest = max(latest, wall)
        if due:
            found.append(minute)
    return found


def changes(zone, years):
    """The minutes from which on another offset holds."""
    at = datetime(years[0], 1, 1, tzinfo=timezone.utc)
    end = datetime(years[1] + 1, 1, 1, tzinfo=timezone.utc)
    hour = timedelta(hours=1)
    while at < end:
        if at.astimezone(zone).utcoffset() != (at + hour).astimezone(zone).utcoffset():
            exact = at
            while exact.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                exact += MINUTE
            yield exact
        at += hour


def answer_clocks(question):
    expressions = [Wall(expression) for expression in question["expressions"]]
    for name in question["zones"]:
        zone = ZoneInfo(name)
        for change in changes(zone, question["years"]):
            first, last = change - AROUND, change + AROUND
            shown = list(walls(zone, first, last))
            found = [slots(expression, shown) for expression in expressions]
            window = {"zone": name, "first": minutes_of(first), "last": minutes_of(last)}
            print(json.dumps({**window, "slots": found}))


if __name__ == "__main__":
    {"next": answer_next, "clocks": answer_clocks}[sys.argv[1]](json.load(sys.stdin))
