"""Parts of the checks: right answers pass in every form, wrong ones are told apart in words."""

import numpy as np
import pytest
import torch

from helpers.checks.parts import WrongAnswer, check_array, passed, require


@pytest.mark.parametrize(
    "answer", [[[1, 2, 3]], np.ones((1, 3), np.float32), torch.ones(1, 3), ((1, 2, 3.5),)]
)
def test_numbers_pass_in_every_form(answer):
    array = check_array("white", answer, (1, 3))
    assert array.shape == (1, 3)
    assert array.dtype == np.float64


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.ones((3, 1)), "white should have the shape (1, 3); it has (3, 1): rows and columns"),
        (np.ones(3), "it has (3,)."),
        ("three", "should hold numbers; it is str"),
        (None, "white holds NaN"),
        ([[1, 2, np.inf]], "white holds NaN or infinity"),
        (len, "should hold numbers; it is builtin_function_or_method"),
    ],
)
def test_wrong_answers_are_told_apart(answer, words):
    shape = () if answer is None else (1, 3)
    with pytest.raises(WrongAnswer) as caught:
        check_array("white", answer, shape)
    assert words in str(caught.value)


def test_square_arrays_are_not_said_to_be_swapped():
    with pytest.raises(WrongAnswer, match=r"it has \(2, 2\)\.$"):
        check_array("x", np.ones((2, 2)), (3, 3))


def test_a_condition_and_its_message(capsys):
    require(True, "never shown")
    with pytest.raises(WrongAnswer, match="not centred"):
        require(False, "not centred")
    assert WrongAnswer("not centred")._render_traceback_() == ["Not yet: not centred"]
    passed("0.5 and 0.5")
    assert capsys.readouterr().out == "✓ 0.5 and 0.5\n"
