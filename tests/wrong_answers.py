"""What the tests of checks ask of wrong answers."""

import pytest

from helpers.checks.parts import WrongAnswer


def told_apart(cases, check, *rest):
    """Each wrong answer is refused with words of its own."""
    messages = []
    for answer, words in cases:
        with pytest.raises(WrongAnswer) as caught:
            check(*answer, *rest)
        assert words in str(caught.value), str(caught.value)
        messages.append(str(caught.value))
    assert len(set(messages)) == len(messages) >= 5
