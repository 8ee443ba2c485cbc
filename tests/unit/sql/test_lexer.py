"""Tokens: quoting, comments, places, and that no text whatever breaks the lexer."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from snowcave.api.sql.lexer import Kind, literal, split, tokens
from snowcave.api.sql.parser import parse
from snowcave.model.errors import SyntaxInvalid, Unsupported, ValueInvalid

# A busy machine is no failure.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PIECES = st.sampled_from(
    [
        *"'\"$@;,().=!\\\n\t -/*_%",
        *("$$", "--", "/*", "*/", "//", "=>", "::", "''", '""', "\\u00", "\\ud800", "\\777"),
        *("CREATE ", "SERVICE ", "IN COMPUTE POOL ", "FROM SPECIFICATION ", "FUNCTION ", "ALTER "),
        *("GRANT ", "SHOW ", "USE ", "DROP ", "IF NOT EXISTS ", "IDENTIFIER(", "SET ", "LIKE "),
        *("SYSTEM$GET_SERVICE_LOGS", "SELECT ", "CALL ", "1", "9" * 30, "1.5e3", "x", "é", "\0"),
    ]
)


@UNTIMED
@given(st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
@example("'")
@example('IDENTIFIER("')
def test_any_text_gives_tokens_or_a_syntax_error(sql: str) -> None:
    try:
        found = tokens(sql)
    except SyntaxInvalid:
        return
    assert found[-1].kind is Kind.END
    assert all(sql[token.start : token.stop] == token.text for token in found)


@UNTIMED
@given(st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_a_statement_or_refused_in_words(sql: str) -> None:
    with suppress(SyntaxInvalid, ValueInvalid, Unsupported):
        parse(sql)


@UNTIMED
@given(st.text())
def test_a_literal_reads_back_as_the_text(text: str) -> None:
    (string, _) = tokens(literal(text))
    assert (string.kind, string.value) == (Kind.STRING, text)


def test_words_fold_and_quoted_names_do_not() -> None:
    word, quoted, _ = tokens('my_name "My ""Name"""')
    assert (word.value, quoted.value) == ("MY_NAME", 'My "Name"')


def test_dollar_text_keeps_quotes_and_semicolons() -> None:
    (string, _) = tokens('$$ it\'s; "so" \n -- no comment $$')
    assert string.value == ' it\'s; "so" \n -- no comment '


def test_comments_of_all_kinds_are_left_out() -> None:
    kept = [token.text for token in tokens("a -- x\nb // y\nc /* z\n */ d")]
    assert kept == ["a", "b", "c", "d", ""]


def test_backslash_escapes_are_read() -> None:
    (string, _) = tokens(r"'a\'b\n\x41\u0042\\'")
    assert string.value == "a'b\nAB\\"


@pytest.mark.parametrize("opened", ["'x", '"x', "$$x", "/* x"])
def test_what_never_closes_is_an_error_at_its_beginning(opened: str) -> None:
    with pytest.raises(SyntaxInvalid) as caught:
        tokens(f"select\n  {opened}")
    assert (caught.value.line, caught.value.position) == (2, 2)


def test_statements_are_split_at_semicolons_outside_of_texts() -> None:
    assert split("use a; ;\nselect ';' ; $$;$$;") == ["use a", "select ';'", "$$;$$"]
