"""Times: forms found by elimination, parsed values against datetime."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.times import DATES, EPOCH, ISO, add_time, describe, new_times, settle, show_time


def read(texts, time_format=None):
    """The form of these times, and them in it."""
    times = new_times(time_format)
    assert all(add_time(times, text) for text in texts)
    form = settle(times)
    return form[0], [show_time(value, form) for value in times[form]]


@pytest.mark.parametrize(
    ("texts", "form", "shown"),
    [
        (["12/31/2015", "01/02/2016"], "%m/%d/%Y", ["2015-12-31 00:00:00", "2016-01-02 00:00:00"]),
        (["01/02/2016", "13/02/2016 9:05 pm"], "%d/%m/%Y", None),
        (["5/6/15", "25/6/15"], "%d/%m/%y", ["2015-06-05 00:00:00", "2015-06-25 00:00:00"]),
        (["2015-12-31", "2016-01-01 10:00:00.5"], ISO, None),
        (["2015-1-2", "2015-01-02 10:00"], ISO, ["2015-01-02 00:00:00", "2015-01-02 10:00:00"]),
        (["2015-12-31T10:00:00+01:00", "2015-12-31T09:30Z"], ISO, None),
        (["31.12.2015", "1.2.2016 7:30"], "%d.%m.%Y", None),
        (["Dec 31, 2015", "May 1, 2016 10:00"], "%b %d, %Y", None),
        (["May 3, 2015", "June 3, 2015"], "%B %d, %Y", None),
        (["31-Dec-15"], "%d-%b-%y", ["2015-12-31 00:00:00"]),
        (["09 13, 2009"], "%m %d, %Y", ["2009-09-13 00:00:00"]),
        (["Thu, 31 Dec 2015 10:00:00 GMT"], "%a, %d %b %Y", ["2015-12-31 10:00:00 UTC"]),
        (
            ["Sun Jul 30 07:44:10 -0700 2017"],
            "%a %b %d %H:%M:%S %z %Y",
            ["2017-07-30 14:44:10 UTC"],
        ),
        (["999", "1000"], "whole numbers", ["999", "1000"]),
        (["999", "1000.5", "1e3"], "numbers", ["999", "1000.5", "1000"]),
    ],
)
def test_forms_are_found_by_elimination(texts, form, shown):
    found = read(texts)
    assert found[0] == form
    assert shown in (None, found[1])


def test_large_whole_numbers_stay_exact():
    times = new_times()
    assert all(add_time(times, text) for text in ("1449999999000000001", "1449999999000000000"))
    first, second = times[settle(times)]
    assert first - second == 1


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("2015-12-31 10:00", "2015-12-31T10:00Z"),
        ("2015-12-31", "12/31/2015"),
        ("12/31/2015", "31/12/2015"),
        ("1000", "2015-12-31"),
        ("2015-12-31", "2015-02-30"),
        ("2015-12-31", "2015-12-31 25:00"),
        ("2015-12-31", "yesterday"),
    ],
)
def test_a_time_of_another_form_changes_nothing(before, text):
    times = new_times()
    assert add_time(times, before)
    kept = {form: list(values) for form, values in times.items()}
    assert not add_time(times, text)
    assert {form: list(values) for form, values in times.items()} == kept


def test_two_readings_must_be_settled_by_the_reader():
    times = new_times()
    assert add_time(times, "3/4/2015")
    with pytest.raises(ValueError, match="'%m/%d/%Y' and '%d/%m/%Y'"):
        settle(times)
    assert read(["3/4/2015 10:00"], "%d/%m/%Y")[1] == ["2015-04-03 10:00:00"]
    assert read(["10h 3.4.2015"], "%Hh %d.%m.%Y")[1] == ["2015-04-03 10:00:00"]
    assert read(["4/4/2015"])[1] == ["2015-04-04 00:00:00"]  # the same in both


# within the hundred years that two digits of a year can mean
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31))


@given(st.sampled_from(DATES), st.lists(MOMENTS, min_size=1))
def test_every_form_reads_what_it_writes(form, moments):
    times = new_times(form)
    for moment in moments:
        assert add_time(times, moment.strftime(f"{form} %H:%M:%S.%f"))
        assert times[form, False][-1] == (moment - EPOCH) // timedelta(microseconds=1)
    assert describe(settle(times)) == f"{form} without a time zone"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-720, 720))
def test_zones_are_taken_into_account(moment, minutes):
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    times = new_times()
    assert add_time(times, aware.isoformat(sep=" "))
    assert add_time(times, aware.astimezone(UTC).isoformat())
    first, second = times[settle(times)]
    assert first == second
