"""Times as people write them, parsed: every time of a file in one form.

A form is ``"whole numbers"`` or ``"numbers"`` (seconds since 1970, or whatever grows with time),
or a format of :meth:`datetime.datetime.strptime` with "without a time zone" or "with" it. After the
date of a form in ``DATES`` a time of day may follow. Which form a file has is found by
elimination: 12/31/2015 drops day/month/year.
"""

import re
from array import array
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

ISO = "%Y-%m-%d"
DATES = (
    *(ISO, "%Y/%m/%d", "%Y.%m.%d"),
    *("%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%m %d, %Y"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%a, %d %b %Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
)
MOMENTS = ("%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Y")
NUMBERS = ("whole numbers", "numbers")
ZONES = {False: "without a time zone", True: "with a time zone"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
DATE_AND_CLOCK = re.compile(r"(.*?\d)(?:T|,? +)(\d{1,2}:\d\d.*)")
EPOCH = datetime(1970, 1, 1)

Form = tuple[str, bool]  # the format, and whether times have a zone
Times = dict[Form, array]  # of each form that fits so far, all times


def new_times(time_format: str | None = None) -> Times:
    """Empty columns for the forms to try: all known ones, or a stated format."""
    if time_format:
        return {(time_format, zone): array("q") for zone in ZONES}
    dates = [(form, zone) for form in (*DATES, *MOMENTS) for zone in ZONES]
    return {form: array("q") for form in [(name, False) for name in NUMBERS] + dates}


def add_time(times: Times, text: str) -> bool:
    """Add a time to the column of each form that it fits, and drop the other forms.

    Returns
    -------
    bool
        False if it fits none; nothing is changed then.
    """
    parsed = {form: value for form in times if (value := _parse(text, form)) is not None}
    for form in [*times] if parsed else []:
        if form in parsed:
            times[form].append(parsed[form])
        else:
            del times[form]
    return bool(parsed)


def settle(times: Times) -> Form:
    """The form that is left when all times have been added.

    Raises
    ------
    ValueError
        If two are left that read the times differently (3/4/2015); names both.
    """
    first, *others = times
    for other in others:
        if first[0] not in NUMBERS and times[other] != times[first]:
            raise ValueError(f"the times fit {first[0]!r} and {other[0]!r}")
    return first


def describe(form: Form) -> str:
    """A form in words."""
    return form[0] if form[0] in NUMBERS else f"{form[0]} {ZONES[form[1]]}"


def show_time(value: int, form: Form) -> str:
    """A time of a column, for people."""
    if form[0] in NUMBERS:
        return f"{value / (1 if form[0] == NUMBERS[0] else 1_000_000):.15g}"
    return f"{EPOCH + timedelta(microseconds=value)}{' UTC' if form[1] else ''}"


def _parse(text: str, form: Form) -> int | None:
    """Microseconds since 1970 (whole numbers stay as they are), or None where it doesn't fit."""
    try:
        if form[0] in NUMBERS:
            return _number(text, form[0])
        moment = _moment(text, form[0])
        if (moment.tzinfo is not None) != form[1]:
            return None
        start = EPOCH.replace(tzinfo=UTC) if form[1] else EPOCH
        return (moment - start) // timedelta(microseconds=1)
    except (ValueError, OverflowError, re.error):
        return None


def _number(text: str, name: str) -> int | None:
    if not NUMBER.fullmatch(text):
        return None
    value = Decimal(text) * (1 if name == NUMBERS[0] else 1_000_000)
    whole = int(value)
    fits = abs(whole) < 2**63 and (name == NUMBERS[1] or whole == value)
    return whole if fits else None


def _moment(text: str, form: str) -> datetime:
    if form not in DATES:
        return datetime.strptime(text, form)
    if form == ISO and text[4:5] == "-":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # "2015-1-2" is no ISO date, but clear
    match = DATE_AND_CLOCK.fullmatch(text)
    day, clock = match.groups() if match else (text, "00:00")
    return datetime.combine(_date(day, form), _clock(clock))


@lru_cache(maxsize=20_000)  # millions of times share some thousand days
def _date(text: str, form: str) -> date:
    return datetime.strptime(text, form).date()


def _clock(text: str) -> time:
    """10:00, 10:00:00.25, 9:05 pm, 10:00:00 +0100, 10:00 UTC, …"""
    text = text.replace("UTC", "Z").replace("GMT", "Z").replace(" ", "")
    if text[-1] in "mM":
        return datetime.strptime(text, "%I:%M%p" if text.count(":") == 1 else "%I:%M:%S%p").time()
    return time.fromisoformat(text.zfill(len(text) + (text[1] == ":")))
