"""Settings: precedence, conversion, and errors that name the place."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import Settings, load_settings


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    config = tmp_path / "peerscope.toml"
    config.write_text('warehouse = "from-file"\nsql_rows = 5\nsql_seconds = 2\n')
    environ = {"PEERSCOPE_WAREHOUSE": "from-env", "PEERSCOPE_SQL_ROWS": "7"}
    settings, origins = load_settings({"warehouse": "from-flag"}, config, environ)
    assert (settings.warehouse, settings.sql_rows, settings.sql_seconds) == ("from-flag", 7, 2.0)
    told = {origin.name: origin.origin for origin in origins}
    assert told["warehouse"] == "flag"
    assert told["sql_rows"] == "environment (PEERSCOPE_SQL_ROWS)"
    assert told["sql_seconds"].startswith("config file")
    assert told["keep_snapshots"] == "default"


def test_every_setting_has_a_reason_and_an_origin() -> None:
    _, origins = load_settings(environ={})
    assert [origin.name for origin in origins] == [spec.name for spec in fields(Settings)]
    assert all(len(origin.reason) > 20 for origin in origins)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_setting = 1", "unknown setting 'no_such_setting'"),
        ('sql_rows = "many"', "sql_rows.*is not a int"),
        ("sql_rows = -1", "must not be negative"),
        ("sql_rows =", "not TOML"),
    ],
)
def test_wrong_values_name_the_setting_and_its_place(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "peerscope.toml"
    config.write_text(text)
    with pytest.raises(SettingError, match=message):
        load_settings(config_file=config, environ={})


def test_a_missing_config_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No such file"):
        load_settings(config_file=tmp_path / "absent.toml", environ={})
