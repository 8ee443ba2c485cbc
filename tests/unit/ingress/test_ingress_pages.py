"""The gateway's own answers are whole HTTP messages that show nobody's markup."""

import json

from snowcave.ingress.home import Shown
from snowcave.ingress.pages import Answer, home_page, login_page, page


def test_an_answer_says_its_length_and_that_it_is_not_kept():
    head, _, body = page(503, "A", "B", retry=2).encode().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head
    assert b"Retry-After: 2\r\n" in head
    assert b"Cache-Control: no-store" in head
    assert b"Connection" not in head


def test_an_answer_to_head_has_the_length_and_no_body():
    head, _, body = Answer(200, b"12345").encode(head_only=True).partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert body == b""


def test_the_last_answer_of_a_connection_says_so():
    assert b"\r\nConnection: close\r\n" in page(400, "A", "B", close=True).encode()


def test_text_from_outside_is_no_markup():
    assert b"<b>" not in page(404, "<b>", "<b>").body
    shown = login_page('/"><b>', "csrf", "<b>").body
    assert b"<b>" not in shown
    assert b"&#34;&gt;" in shown


def test_programs_get_errors_in_json_and_other_pages_as_they_are():
    error = page(503, "Not <ready>", "Wait.", retry=2).for_programs()
    assert error.kind == b"application/json"
    assert json.loads(error.body) == {"status": 503, "error": "Not <ready>", "message": "Wait."}
    assert (b"Retry-After", b"2") in error.headers
    form = login_page("/", "abc")
    assert form.for_programs() == form


def test_a_page_says_where_people_go_on_from_it():
    assert b"<a " not in page(404, "A", "B").body
    answer = page(403, "A", "B", onward=("Sign in", '/login?next="'))
    assert b'<a href="/login?next=&#34;">Sign in</a>' in answer.body
    assert json.loads(answer.for_programs().body) == {"status": 403, "error": "A", "message": "B"}


def test_the_login_form_and_its_cookie_hold_the_same_secret():
    answer = login_page("/", "abc", status=401)
    assert answer.status == 401
    assert b'name="csrf" value="abc"' in answer.body
    (cookie,) = [value for name, value in answer.headers if name == b"Set-Cookie"]
    assert cookie == b"snowcave-ingress-csrf=abc; HttpOnly; SameSite=Strict; Path=/sfc-endpoint"


def test_names_of_services_break_after_their_dots_and_are_no_markup():
    one = Shown("DB.S.<b>", "ui", "RUNNING", is_ready=True, url="http://x/")
    shown = home_page(account="A-B", user="ANN", endpoints=[one], api="http://y/").body
    assert b"<td>DB.<wbr>S.<wbr>&lt;b&gt;</td>" in shown
