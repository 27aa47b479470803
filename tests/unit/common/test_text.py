"""What of a person's text is taken."""

import pytest
from pydantic import BaseModel, ValidationError

from common.text import PlainSecret, PlainText, is_plain, printable


class Form(BaseModel):
    name: PlainText = ""
    password: PlainSecret | None = None


@pytest.mark.parametrize("text", ["", "Zoë O'Brien 李 😀", "a\N{NO-BREAK SPACE}b", "a\u200db"])
def test_writing_is_plain(text):
    assert is_plain(text)
    assert Form(name=text, password=text).name == printable(text) == text


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\x7f", "\x85", "a\ud800b", "\udfff"])
def test_control_characters_and_halves_of_characters_are_not(text):
    assert not is_plain(text)
    for field in ("name", "password"):
        with pytest.raises(ValidationError):
            Form.model_validate({field: text})


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(ValidationError) as refusal:
        Form(password="Analytical1\x00")
    assert "Analytical1" not in refusal.value.errors()[0]["msg"]


def test_what_cannot_be_shown_is_replaced_so_that_the_rest_can_be():
    assert printable("a\x00b\ud800c").encode() == "a\ufffdb\ufffdc".encode()
