"""Numbers in answers keep their digits, and what is nested too deeply is a bad answer."""

import pytest

from snowcave.functions.answers import BadAnswer, decode_closely

LONG = "123456789012345678901234567890"
FINE = "0.12345678901234567890"


def decoded(value: str, returns: str) -> str | None:
    body = f'{{"data":[[0,{value}]]}}'.encode()
    return decode_closely(body, 1, returns).to_pylist()[0]


@pytest.mark.parametrize("returns", ["NUMBER(38,20)", "VARIANT", "VARCHAR"])
@pytest.mark.parametrize("value", [LONG, f"-{LONG}", FINE, "12345678901234567.5", "1"])
def test_a_number_is_what_the_service_wrote(value: str, returns: str):
    assert decoded(value, returns) == value


@pytest.mark.parametrize(
    ("value", "returns"),
    [
        (f'{{"a":{LONG},"b":[{FINE},1,true,null]}}', "OBJECT"),
        (f'[{FINE},{{"a":"{LONG}"}}]', "ARRAY"),
        (f"[{FINE}]", "VARCHAR"),
        (f'"{LONG}"', "VARIANT"),
    ],
)
def test_so_are_those_within_a_value(value: str, returns: str):
    assert decoded(value, returns) == value


@pytest.mark.parametrize("returns", ["VARIANT", "ARRAY", "VARCHAR"])
@pytest.mark.parametrize("inner", ["1", FINE])
@pytest.mark.parametrize("depth", [300, 1000, 5000])
def test_what_is_nested_too_deeply_is_a_bad_answer(inner: str, depth: int, returns: str):
    with pytest.raises(BadAnswer, match=r"nested too deeply|depth limit"):
        decoded("[" * depth + inner + "]" * depth, returns)


@pytest.mark.parametrize(
    ("row", "returns"), [("[0,{}]", "OBJECT"), ("[{},1]", "VARCHAR")], ids=["kind", "row number"]
)
def test_so_is_what_is_wrong_besides(row: str, returns: str):
    body = f'{{"data":[{row.format("[" * 300 + "]" * 300)}]}}'.encode()
    with pytest.raises(BadAnswer, match="nested too deeply"):
        decode_closely(body, 1, returns)
