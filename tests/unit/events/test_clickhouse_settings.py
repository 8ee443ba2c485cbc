"""What may be said of a ClickHouse server, and that nothing said of it shows a password."""

import importlib
import sys
from pathlib import Path

import pytest

from snowcave.events.clickhouse import server
from snowcave.events.clickhouse.schema import Tables
from snowcave.events.settings import ClickHouseSettings, EventsSettings
from snowcave.runtime import settings
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import SettingsInvalid


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8123",
        "tcp://127.0.0.1:9000",
        "http://",
        "http://host:port",
        "http://somebody:hush@127.0.0.1:8123",
        "http://127.0.0.1:8123/?password=hush",
    ],
)
def test_an_address_that_is_none_or_holds_a_password_is_refused_without_repeating_it(url: str):
    with pytest.raises(SettingsInvalid, match=r"events\.clickhouse\.url") as told:
        server.address(ClickHouseSettings(url=url))
    assert "hush" not in str(told.value)


def test_ports_are_those_of_the_http_interface_where_none_is_said():
    plain = server.address(ClickHouseSettings(url="http://db.example"))
    sealed = server.address(ClickHouseSettings(url="https://db.example", ca_file="/ca.pem"))
    assert (plain["interface"], plain["port"]) == ("http", 8123)
    assert (sealed["interface"], sealed["port"], sealed["ca_cert"]) == ("https", 8443, "/ca.pem")


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path):
    file = tmp_path / "password"
    own = ClickHouseSettings(url="http://db.example", password_file=str(file))
    with pytest.raises(SettingsInvalid, match="password_file"):
        server.address(own)
    file.write_text("hush\nand more")
    assert server.address(own)["password"] == "hush"


def test_settings_that_are_shown_have_no_password():
    given = {
        "SNOWCAVE_EVENTS__STORE": "clickhouse",
        "SNOWCAVE_EVENTS__CLICKHOUSE__PASSWORD": "hush",
    }
    found = settings.read(EventsSettings, "events", Mesh(home=Path("/nowhere")), given)
    assert (found.store, found.clickhouse.password) == ("clickhouse", "hush")
    assert "hush" not in repr(found) + str(settings.plain(found))


@pytest.mark.parametrize(
    ("database", "prefix"), [("a`b", "x_"), ("default", ""), ("default", "é"), ("", "x_")]
)
def test_names_that_would_have_to_be_quoted_are_refused(database: str, prefix: str):
    with pytest.raises(SettingsInvalid):
        Tables(database, prefix)


def test_a_client_that_is_not_installed_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, server.__name__)
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(SettingsInvalid, match=r"install snowcave\[clickhouse\]"):
        importlib.import_module(server.__name__)
