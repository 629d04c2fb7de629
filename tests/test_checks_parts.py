"""Parts of the checks: right answers pass in every form, wrong ones are told apart in words."""

import numpy as np
import pytest
import torch

from helpers.checks.parts import WrongAnswer, check_array, passed, require, require_right


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
        (torch.ones(1, 3, requires_grad=True), "a tensor with a gradient; give white.detach()"),
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


def test_a_right_answer_comes_back_as_an_array_and_costs_no_mistakes():
    def never():
        raise RuntimeError

    found = require_right("x", torch.ones(2), [1, 1 + 1e-9], never, "wrong")
    assert found.dtype == np.float64
    assert found.tolist() == [1, 1]
    # a usual mistake that happens to be right is right
    require_right("x", 2.0, 2, {"doubled": 2.0}, "wrong")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (4, "x is 4: squared"),
        (4.03, "x is 4.03: squared"),
        (3, "x is 3: neither."),
        ([2], "should have the shape ()"),
        (np.nan, "NaN"),
    ],
)
def test_a_wrong_number_is_named_with_the_first_mistake_that_leads_to_it(answer, words):
    mistakes = {"of another shape": [4.0], "squared": 4, "squared again": 4}
    for given in (mistakes, lambda: mistakes):
        with pytest.raises(WrongAnswer) as caught:
            require_right("x", answer, 2, given, "neither", rtol=0.01)
        assert words in str(caught.value)


def test_a_condition_and_its_message(capsys):
    require(True, "never shown")
    with pytest.raises(WrongAnswer, match="not centred"):
        require(False, "not centred")
    assert WrongAnswer("not centred")._render_traceback_() == ["Not yet: not centred"]
    passed("0.5 and 0.5")
    assert capsys.readouterr().out == "✓ 0.5 and 0.5\n"
