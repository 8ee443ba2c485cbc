"""Run by the interpreter of connector 4: calls an endpoint as Snowflake's documents tell programs to.

python ingress_session.py '{"connect": {...}, "requests": [{"method": "GET", "url": "…", "token": true}]}'
"""

import json
import sys
from typing import Any
from urllib.parse import unquote

import requests
import snowflake.connector


def ask(order: dict[str, Any], token: str) -> dict[str, Any]:
    headers = {"Authorization": f'Snowflake Token="{token}"'} if order.get("token") else {}
    answer = requests.request(
        order.get("method", "GET"),
        order["url"],
        headers={**headers, **order.get("headers", {})},
        json=order.get("json"),
        allow_redirects=order.get("follow", False),
        timeout=30,
    )
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": answer.text}


def sign_in(order: dict[str, Any], user: str, password: str) -> dict[str, Any]:
    """As a person does it: open the page, fill in the form that comes, land on the page."""
    with requests.Session() as browser:
        login = browser.get(order["url"], headers={"Accept": "text/html"}, timeout=30)
        csrf = login.text.split('name="csrf" value="')[1].split('"')[0]
        path = login.url.split("?next=")[1]
        form = {"user": user, "password": password, "csrf": csrf}
        form["next"] = unquote(path)
        home = login.url.split("?")[0]
        page = browser.post(home, data=form, headers={"Accept": "text/html"}, timeout=30)
        return {
            "login": login.text,
            "status": page.status_code,
            "url": page.url,
            "body": page.text,
        }


def main() -> None:
    order = json.loads(sys.argv[1])
    with snowflake.connector.connect(**order["connect"]) as connection:
        # Snowflake's documents have programs call this.
        rest: Any = connection.rest
        issued = rest._token_request("ISSUE")
        token = issued["data"]["sessionToken"]
        answers = [ask(one, token) for one in order.get("requests", [])]
        connect = order["connect"]
        pages = [
            sign_in(one, connect["user"], connect["password"]) for one in order.get("sign_in", [])
        ]
    print(json.dumps({"answers": answers, "pages": pages}))


if __name__ == "__main__":
    main()
