"""What a client reads of a fault in what it sent."""

from typing import Self

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, model_validator

from common.error_answers import answer_errors


class Choice(BaseModel):
    one: int | None = None
    other: int | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.one is None) == (self.other is None):
            raise ValueError("give one or other")
        return self


async def ask(content: dict[str, object]) -> httpx.Response:
    app = FastAPI()
    answer_errors(app)

    @app.post("/")
    async def choose(choice: Choice) -> Choice:
        return choice

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.post("/", json=content)


async def test_a_validators_own_words_are_given_as_they_are():
    answer = await ask({})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "ERR_VALIDATION"
    assert error["message"].endswith(": give one or other")
    [fault] = error["details"]["errors"]
    assert fault["message"] == "give one or other"


async def test_other_faults_keep_the_sentence_and_name_the_field():
    error = (await ask({"one": "many"})).json()["error"]
    assert error["message"].startswith("one: Input should be a valid integer")
