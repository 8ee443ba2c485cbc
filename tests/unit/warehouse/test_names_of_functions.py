"""Which names are a user's to give to a service function."""

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import rewrite
from snowcave.warehouse.service_functions import calls


def found(name: str, sql: str) -> int:
    function = pb.FunctionBinding(
        function=1, name=name, argument_types=["VARCHAR"], returns="VARCHAR", spellings=[name]
    )
    return len(calls.find(rewrite.parse(sql), [function]))


@pytest.mark.parametrize(
    "name",
    ["FORMAT", "UUID", "HOST", "ENCODE", "LEVENSHTEIN", "QUANTILE", "GENERATE_TEXT", "INSTR"],
)
def test_a_function_of_other_dialects_is_no_function_of_snowflake(name: str):
    assert found(name, f"SELECT {name.lower()}(t) FROM x") == 1
    assert found(name, f"SELECT 1 FROM x WHERE {name}(t) = 'a'") == 1


@pytest.mark.parametrize("name", ["UPPER", "MODE", "CHR", "TO_CHAR"])
def test_snowflake_s_own_functions_go_before_a_user_s(name: str):
    assert found(name, f"SELECT {name}(t) FROM x") == 0
