"""Settings: what the file may say, what a mistake in it is answered with, and where secrets come from."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.config import TOKEN_VARIABLES, Config, PlatformSettings, PolicySettings, load_config, token
from bot.policy import AdviceBy, Mode, Policy
from bot.sealing import KEY_VARIABLE, Seal, load_seal, read_secret
from classifiers.assessment import Sensitivity
from classifiers.errors import InputError

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"
DEFAULTS: dict[str, dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(Config()))
TABLES = [name for name in DEFAULTS if name != "spaces"]
SETTINGS = [(table, key, value) for table in TABLES for key, value in DEFAULTS[table].items()]
VALUES = {"5": int, '"5"': str, "5.5": float, "true": bool, "[5]": list, "{ a = 5 }": dict, "2026-11-21": date}
CHOICES = [
    ("policy", "mode", ("observe", "alert", "advise")),
    ("policy", "sensitivity", ("low", "normal", "high")),
    ("policy", "advice_by", ("automatic", "moderator", "opted-in")),
    ("policy", "locale", ("en-GB",)),
    ("log", "level", ("debug", "info", "warning", "error")),
    ("log", "format", ("text", "json")),
]
RANGES = [
    ("memory", "max_conversations", 1, 10_000_000),
    ("memory", "max_age_hours", 1, 720),
    ("policy", "cooldown_hours", 0, 8_760),
    ("policy", "incident_gap_days", 1, 365),
    ("policy", "retention_days", 1, 90),
    ("discord", "warnings_a_day", 0, 1000),
    ("telegram", "webhook_port", 1, 65_535),
]
IDS = [("policy", "alert_channel"), ("policy", "page_role")]
LISTS = [("policy", "skip_channels")]
FLAGS = [
    ("policy", "share_campaigns"),
    ("policy", "follow_rulings"),
    ("discord", "read_messages"),
    ("metrics", "beyond_this_machine"),
]
SOCKETS = [("metrics", "listen", "127.0.0.1:9464"), ("telegram", "webhook_listen", "::1")]
ADDRESSES = [
    ("discord", "api_url", "https://proxy.example/api/v10", "http://127.0.0.1:8080", "wss://gateway.example"),
    ("discord", "gateway_url", "wss://gateway.example", "ws://127.0.0.1:8080", "https://proxy.example"),
    ("telegram", "api_url", "https://api.example", "http://127.0.0.1:8081", "wss://api.example"),
    ("telegram", "file_url", "https://files.example", "http://127.0.0.1:8081", "ftp://files.example"),
    ("telegram", "webhook_url", "https://haven.example/in", "https://haven.example", "http://haven.example"),
]
CLEAR = [
    ("discord", "api_url", "http"),
    ("discord", "gateway_url", "ws"),
    ("telegram", "api_url", "http"),
    ("telegram", "file_url", "http"),
]
FILES = [
    ("store", "database"),
    ("store", "key_file"),
    ("model", "folder"),
    ("discord", "token_file"),
    ("telegram", "token_file"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def complaint(file: Path, text: str) -> str:
    """Return what is said of a settings file with this text, without the name that it begins with."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_config(file)
    name, _, said = str(caught.value).partition(": ")
    assert name == str(file)
    return said


@pytest.mark.parametrize("key_file", ["data.db", "./data.db", "x/../data.db"])
def test_the_key_does_not_lie_in_the_database(file: Path, key_file: str) -> None:
    said = complaint(file, f'[store]\ndatabase = "data.db"\nkey_file = "{key_file}"\n')
    assert said == "store.key_file: expected another file than store.database"


# The example.


def test_the_example_shows_every_setting_with_its_default() -> None:
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8")) == DEFAULTS


def test_the_example_is_read_as_the_defaults() -> None:
    assert load_config(EXAMPLE) == (Config(), EXAMPLE.parent)


def test_the_commented_space_of_the_example_may_be_uncommented(file: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    commented = '# [spaces."1234567890"]\n# mode = "observe"\n[spaces]\n'
    assert commented in text
    file.write_text(text.replace(commented, '[spaces."1234567890"]\nmode = "observe"\n'), encoding="utf-8")
    config, _ = load_config(file)
    assert config.policy_of("1234567890").mode is Mode.OBSERVE
    assert config.policy_of("987") == Policy()


def test_the_settings_of_a_policy_default_to_the_policy_that_decisions_default_to() -> None:
    assert PolicySettings().policy() == Policy()


# What is there.


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(None) == (Config(), Path())


def test_haven_toml_of_the_current_folder_is_read_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("haven.toml").write_text('[log]\nlevel = "error"', encoding="utf-8")
    config, folder = load_config(None)
    assert (config.log.level, folder) == ("error", Path())


@pytest.mark.parametrize(
    ("leads_to", "reason"),
    [
        ("nowhere", "No such file or directory (a link to nowhere)"),
        ("haven.toml", "Too many levels of symbolic links"),
    ],
)
def test_a_haven_toml_that_leads_nowhere_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads_to: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("haven.toml").symlink_to(leads_to)
    for file in (None, Path("haven.toml")):
        with pytest.raises(InputError) as caught:
            load_config(file)
        assert str(caught.value) == f"haven.toml: cannot read the settings: {reason}"


def test_an_empty_file_is_the_defaults_and_paths_start_at_its_folder(file: Path) -> None:
    file.write_text("")
    assert load_config(file) == (Config(), file.parent)


@pytest.mark.parametrize(("table", "key", "value"), SETTINGS)
def test_one_setting_changes_nothing_else(file: Path, table: str, key: str, value: object) -> None:
    allowed = {(at, name): choices[0] for at, name, choices in CHOICES}
    allowed |= {(at, name): address for at, name, address, *_ in (*ADDRESSES, *SOCKETS)}
    allowed |= dict.fromkeys(IDS, "77")
    others = {bool: not value, int: 5, str: allowed.get((table, key), "elsewhere"), list: ["12", "34"]}
    other = others[type(value)]
    file.write_text(f"[{table}]\n{key} = {json.dumps(other)}", encoding="utf-8")
    config, _ = load_config(file)
    assert msgspec.json.decode(msgspec.json.encode(config)) == DEFAULTS | {table: DEFAULTS[table] | {key: other}}


def test_a_policy_is_read_in_its_units(file: Path) -> None:
    file.write_text(
        '[policy]\nmode = "alert"\nsensitivity = "high"\nadvice_by = "opted-in"\nalert_channel = "77"\n'
        'page_role = "88"\nskip_channels = ["11", "22"]\n'
        "cooldown_hours = 3\nincident_gap_days = 4\nretention_days = 5",
        encoding="utf-8",
    )
    assert load_config(file)[0].policy_of("any") == Policy(
        mode=Mode.ALERT,
        sensitivity=Sensitivity.HIGH,
        advice_by=AdviceBy.OPTED_IN,
        alert_channel="77",
        page="88",
        skipped=("11", "22"),
        cooldown=timedelta(hours=3),
        incident_gap=timedelta(days=4),
        retention=timedelta(days=5),
    )


def test_a_space_takes_what_it_leaves_out_from_the_policy_of_all(file: Path) -> None:
    file.write_text(
        '[policy]\nmode = "alert"\nretention_days = 9\n'
        '[spaces."-1001234567890"]\nmode = "observe"\n'
        '[spaces.123]\nsensitivity = "low"\nalert_channel = "456"\n'
        "[spaces.console]",
        encoding="utf-8",
    )
    config, _ = load_config(file)
    all_spaces = Policy(mode=Mode.ALERT, retention=timedelta(days=9))
    assert config.policy_of("elsewhere") == config.policy_of("console") == all_spaces
    assert config.policy_of("-1001234567890") == Policy(mode=Mode.OBSERVE, retention=timedelta(days=9))
    assert config.policy_of("123") == Policy(
        mode=Mode.ALERT, sensitivity=Sensitivity.LOW, alert_channel="456", retention=timedelta(days=9)
    )


# Mistakes.


def test_an_unknown_table_is_told_the_known_ones(file: Path) -> None:
    assert complaint(file, "[colours]\nx = 1") == f"colours: unknown key; allowed: {', '.join(DEFAULTS)}"


@pytest.mark.parametrize("table", TABLES)
def test_an_unknown_key_is_told_the_known_ones(file: Path, table: str) -> None:
    said = complaint(file, f"[{table}]\ncolour = 1")
    assert said == f"{table}.colour: unknown key; allowed: {', '.join(DEFAULTS[table])}"


@pytest.mark.parametrize("space", ["123", "-1001234567890", "console"])
def test_an_unknown_key_of_a_space_is_told_the_known_ones(file: Path, space: str) -> None:
    said = complaint(file, f'[spaces."{space}"]\ncolour = 1')
    assert said == f'spaces."{space}".colour: unknown key; allowed: {", ".join(DEFAULTS["policy"])}'


@pytest.mark.parametrize("key", ["a.b", "a`b", "a - at `$.b`", "line\\nbreak"])
def test_an_odd_key_is_named_as_it_is(file: Path, key: str) -> None:
    held = tomllib.loads(f'x = "{key}"')["x"]
    assert complaint(file, f'[store]\n"{key}" = 1').startswith(f"store.{held}: unknown key; allowed: database, ")


@pytest.mark.parametrize(("table", "key", "value"), SETTINGS)
def test_a_value_of_a_wrong_type_is_told_the_right_one(file: Path, table: str, key: str, value: object) -> None:
    right = type(value)
    name = "array" if right is list else right.__name__
    for given in (given for given, its in VALUES.items() if its is not right):
        said = complaint(file, f"[{table}]\n{key} = {given}")
        assert said.startswith(f"{table}.{key}: Expected {name}, got ")


def test_a_value_of_a_wrong_type_in_a_list_is_named(file: Path) -> None:
    said = complaint(file, '[policy]\nskip_channels = ["12", 34]')
    assert said == "policy.skip_channels[1]: Expected str, got int"


@pytest.mark.parametrize(("table", "key", "secure", "bare", "other"), ADDRESSES)
def test_an_address_is_one_of_its_kind(file: Path, table: str, key: str, secure: str, bare: str, other: str) -> None:
    for address in (secure, bare, ""):
        file.write_text(f'[{table}]\n{key} = "{address}"', encoding="utf-8")
        assert getattr(getattr(load_config(file)[0], table), key) == address
    for address in (other, "proxy.example", "https://", "ftp://proxy.example", f" {secure}"):
        said = complaint(file, f'[{table}]\n{key} = "{address}"')
        assert said.startswith(f"{table}.{key}: expected an address that begins with ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3:8081", "localhost", "bot-api:8081/x", "[::1]:8081"])
@pytest.mark.parametrize(("table", "key", "scheme"), CLEAR)
def test_a_token_may_travel_in_clear_on_this_machine(file: Path, table: str, key: str, scheme: str, host: str) -> None:
    file.write_text(f'[{table}]\n{key} = "{scheme}://{host}"', encoding="utf-8")
    assert getattr(getattr(load_config(file)[0], table), key) == f"{scheme}://{host}"


@pytest.mark.parametrize(
    "host",
    ["api.example", "10.0.0.5:8081", "0.0.0.0:8081", "localhost.example", "localhost:80@api.example", "[::2]:8081",
     "127.0.0.1.example", "127.0.0.1@api.example", "localhost:8081\\n"],
)  # fmt: skip
@pytest.mark.parametrize(("table", "key", "scheme"), CLEAR)
def test_a_token_never_travels_in_clear_to_another(file: Path, table: str, key: str, scheme: str, host: str) -> None:
    said = complaint(file, f'[{table}]\n{key} = "{scheme}://{host}"')
    assert said == (
        f"{table}.{key}: expected an address that begins with {scheme}s://, or this machine or a container beside it,"
        f" such as {scheme}://127.0.0.1:8081 or {scheme}://bot-api:8081: to others a token would travel in clear"
    )


@pytest.mark.parametrize("table", [*DEFAULTS, 'spaces."1"'])
def test_a_table_that_is_none_is_named(file: Path, table: str) -> None:
    assert complaint(file, f"{table} = 5") == f"{table}: Expected object, got int"


@pytest.mark.parametrize(("table", "key", "choices"), CHOICES)
@pytest.mark.parametrize("given", ["loud", "", "Normal", "two\\nlines"])
def test_a_wrong_word_is_told_the_right_ones(
    file: Path, table: str, key: str, choices: tuple[str, ...], given: str
) -> None:
    said = complaint(file, f'[{table}]\n{key} = "{given}"')
    assert said.startswith(f"{table}.{key}: Invalid enum value ")
    assert said.endswith(f"; allowed: {', '.join(choices)}")


@pytest.mark.parametrize(("table", "key", "choices"), CHOICES)
def test_every_right_word_is_taken(file: Path, table: str, key: str, choices: tuple[str, ...]) -> None:
    for word in choices:
        file.write_text(f'[{table}]\n{key} = "{word}"', encoding="utf-8")
        assert getattr(getattr(load_config(file)[0], table), key) == word


@pytest.mark.parametrize(("table", "key", "low", "high"), RANGES)
def test_a_number_out_of_range_is_told_the_limit(file: Path, table: str, key: str, low: int, high: int) -> None:
    for number in (low, high):
        file.write_text(f"[{table}]\n{key} = {number}", encoding="utf-8")
        assert getattr(getattr(load_config(file)[0], table), key) == number
    for number in (low - 1, -(10**30)):
        assert complaint(file, f"[{table}]\n{key} = {number}") == f"{table}.{key}: Expected int >= {low}"
    for number in (high + 1, 10**30):
        assert complaint(file, f"[{table}]\n{key} = {number}") == f"{table}.{key}: Expected int <= {high}"


@pytest.mark.parametrize("listen", ["127.0.0.1:9464", "127.1.2.3:1", "[::1]:65535"])
def test_metrics_are_told_on_this_machine(file: Path, listen: str) -> None:
    file.write_text(f'[metrics]\nlisten = "{listen}"', encoding="utf-8")
    address, port = load_config(file)[0].metrics.address
    assert listen in (f"{address}:{port}", f"[{address}]:{port}")


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "192.168.1.5:80", "[::]:9464", "[fe80::1]:80", "8.8.8.8:53"])
def test_metrics_are_told_to_other_machines_only_when_that_is_said(file: Path, listen: str) -> None:
    settings = f'[metrics]\nlisten = "{listen}"\n'
    said = complaint(file, settings)
    assert said == (
        "metrics.listen: other machines could ask at this address; set beyond_this_machine = true to allow it"
    )
    file.write_text(settings + "beyond_this_machine = true", encoding="utf-8")
    assert load_config(file)[0].metrics.listen == listen


@pytest.mark.parametrize(
    "listen", ["9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
               "127.0.0.1:-1", "127.0.0.1:1e3", "127.0.0.1:٣", "::1", "http://127.0.0.1:9464", " ", "127.0.0.1:80/x"]
)  # fmt: skip
def test_where_metrics_are_is_an_address_and_a_port(file: Path, listen: str) -> None:
    said = complaint(file, f'[metrics]\nlisten = "{listen}"\nbeyond_this_machine = true')
    assert said == "metrics.listen: expected an IP address and a port from 1 to 65535, such as 127.0.0.1:9464"


@pytest.mark.parametrize("listen", ["127.0.0.1", "::", "::1", "192.168.1.5", "localhost"])
def test_a_webhook_is_heard_at_an_address(file: Path, listen: str) -> None:
    file.write_text(f'[telegram]\nwebhook_listen = "{listen}"', encoding="utf-8")
    assert load_config(file)[0].telegram.webhook_listen == listen


@pytest.mark.parametrize(
    "listen",
    ["", " ", "999.1.1.1", "999.1.1.1:80", "127.0.0.1:8443", "[::1]", "haven.example", "127.1", "*", "a\\u0000"],
)
def test_where_a_webhook_is_heard_is_an_address_without_a_port(file: Path, listen: str) -> None:
    said = complaint(file, f'[telegram]\nwebhook_listen = "{listen}"')
    assert said == (
        "telegram.webhook_listen: expected an IP address without a port, such as 127.0.0.1 (the port is webhook_port)"
    )


def test_a_space_is_held_to_the_same_limits(file: Path) -> None:
    said = complaint(file, '[spaces."1"]\nretention_days = 91')
    assert said == 'spaces."1".retention_days: Expected int <= 90'
    said = complaint(file, '[spaces."1"]\nmode = "loud"')
    assert said == "spaces.\"1\".mode: Invalid enum value 'loud'; allowed: observe, alert, advise"


@pytest.mark.parametrize(
    ("key", "fine", "wrong", "said"),
    [
        (
            "alert_channel",
            ["", "77", "-1001234567890"],
            ["general", "#general", "@mods", "<#77>", "0", "7 7", " ", "٣", "77\\n", "1" * 21],
            "the id of a channel or chat, such as 1234567890 or -1001234567890",
        ),
        (
            "page_role",
            ["", "77"],
            ["@everyone", "helpers", "<@&77>", "-77", "0", " ", "٣", "77\\n", "1" * 21],
            "the id of a role, or on Telegram of a moderator, such as 1234567890",
        ),
    ],
)
@pytest.mark.parametrize("table", ["policy", 'spaces."1"'])
def test_an_id_is_one(file: Path, table: str, key: str, fine: list[str], wrong: list[str], said: str) -> None:
    for id in fine:
        file.write_text(f'[{table}]\n{key} = "{id}"', encoding="utf-8")
        load_config(file)
    for id in wrong:
        assert complaint(file, f'[{table}]\n{key} = "{id}"') == f"{table}.{key}: expected {said}"


@pytest.mark.parametrize("place", ["#x", "", "general", "0", "77/", "/7", "77/x", "77\\n"])
def test_what_is_not_read_has_an_id(file: Path, place: str) -> None:
    file.write_text('[policy]\nskip_channels = ["77", "-1001234567890", "-1001234567890/5"]')
    load_config(file)
    said = complaint(file, f'[policy]\nskip_channels = ["77", "{place}"]')
    assert said == (
        "policy.skip_channels[1]: expected the id of a channel, category, group or topic,"
        " such as 1234567890 or -1001234567890/5"
    )


@pytest.mark.parametrize("space", ["abc", "", "-", "0", "my server", "@group", "12.5", "Console"])
def test_a_space_is_named_by_its_id(file: Path, space: str) -> None:
    said = complaint(file, f'[spaces."{space}"]\nmode = "observe"')
    assert said == (
        f'spaces."{space}": expected the id of a server or group, such as 1234567890 or -1001234567890, or console'
    )


def test_the_tables_above_name_every_setting() -> None:
    named = {(table, key) for table, key, *_ in (*CHOICES, *RANGES, *FILES, *IDS, *LISTS, *FLAGS, *ADDRESSES, *SOCKETS)}
    assert named == {(table, key) for table, key, _ in SETTINGS}


@pytest.mark.parametrize(("table", "key"), FILES)
def test_a_path_that_no_file_can_have_is_refused(file: Path, table: str, key: str) -> None:
    assert complaint(file, f'[{table}]\n{key} = "a\\u0000b"') == f"{table}.{key}: expected a path without a NUL in it"


def test_the_database_and_its_key_have_to_have_a_name(file: Path) -> None:
    for key in ("database", "key_file"):
        assert complaint(file, f'[store]\n{key} = ""') == f"store.{key}: Expected str of length >= 1"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a =", 1), ("[store", 1), ("\n\ndatabase = 'x\n", 3), ('a = 5\nb = """\nc\n\n', 3), ("\0", 1), ("a = 1\n\n=", 3)],
)
def test_what_is_not_toml_is_named_with_its_line(file: Path, text: str, line: int) -> None:
    assert re.fullmatch(rf"line {line}: not TOML: [^()]+", complaint(file, text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\na = 2", 2),
        ("[log]\r\nlevel = 'info'\r\n\r\nlevel = 'debug'\r\n", 4),
        ("[log]\nlevel = 'info'\n[policy]\n[log]\n", 4),
        ("store = { database = 'a', database = 'b' }", 1),
        ("[spaces.1]\n[spaces]\n1 = 5", 3),
    ],
)
def test_what_stands_there_twice_is_named_with_its_line(file: Path, text: str, line: int) -> None:
    assert complaint(file, text) == f"line {line}: not TOML: this key or table stands above already"


def test_a_mark_of_the_byte_order_is_no_part_of_the_settings(file: Path) -> None:
    file.write_text('[log]\nlevel = "error"', encoding="utf-8-sig")
    assert load_config(file)[0].log.level == "error"


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"\xff\xfe\x00", 1),
        ('[log]\nlevel = "error"\n'.encode("utf-16"), 1),
        ('[log]\nlevel = "error"\n# naïve\n'.encode("latin-1"), 3),
        (b"\xef\xbb\xbf\n\xff", 2),
    ],
)
def test_what_is_not_text_in_utf_8_is_named_with_its_line(file: Path, raw: bytes, line: int) -> None:
    file.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        load_config(file)
    assert str(caught.value) == f"{file}: line {line}: not text in UTF-8: save the file in that encoding"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.toml", "No such file or directory"),
        (".", "Is a directory"),
        ("mine.toml/haven.toml", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "mine.toml").touch()
    with pytest.raises(InputError) as caught:
        load_config(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: cannot read the settings: {reason}"


# Secrets.


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("from-the-file\n", encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("platform", TOKEN_VARIABLES)
def test_a_token_comes_from_the_environment_first_and_then_from_its_file(secret: Path, platform: str) -> None:
    named, unnamed = PlatformSettings(secret.name), PlatformSettings()
    environment = {TOKEN_VARIABLES[platform]: "from-the-environment"}
    assert token(platform, named, secret.parent, environment) == "from-the-environment"
    assert token(platform, unnamed, secret.parent, environment) == "from-the-environment"
    assert token(platform, named, secret.parent, {}) == "from-the-file"
    assert token(platform, named, secret.parent, {TOKEN_VARIABLES[platform]: ""}) == "from-the-file"
    assert token(platform, unnamed, secret.parent, {}) is None


def test_the_token_of_one_platform_is_not_that_of_another(tmp_path: Path) -> None:
    environment = {TOKEN_VARIABLES["discord"]: "of discord"}
    assert token("telegram", PlatformSettings(), tmp_path, environment) is None


def test_a_token_file_may_be_anywhere(secret: Path) -> None:
    assert token("discord", PlatformSettings(str(secret)), Path("elsewhere"), {}) == "from-the-file"


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_token_file_that_is_there_and_empty_is_refused(secret: Path, content: str) -> None:
    secret.write_text(content)
    with pytest.raises(InputError, match="the file is empty; it should hold the token"):
        token("discord", PlatformSettings(secret.name), secret.parent, {"HAVEN_DISCORD_TOKEN": ""})


def test_a_broken_token_file_does_not_matter_when_the_environment_has_the_token(tmp_path: Path) -> None:
    settings = PlatformSettings(str(tmp_path / "missing"))
    assert token("discord", settings, tmp_path, {TOKEN_VARIABLES["discord"]: "here"}) == "here"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_secret_that_others_may_read_write_or_run_is_refused_with_the_cure(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    with pytest.raises(InputError) as caught:
        token("discord", PlatformSettings(secret.name), secret.parent, {})
    assert str(caught.value) == f"{secret}: other users may read this secret; run: chmod 600 {secret}"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_that_only_its_owner_may_read_is_taken(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    assert read_secret(secret) == "from-the-file"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "No such file or directory"),
        ("folder", "Is a directory"),
        ("open folder", "Is a directory"),
        ("binary", "not a text"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir(0o700)
    (tmp_path / "open folder").mkdir(0o755)
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    (tmp_path / "binary").chmod(0o600)
    with pytest.raises(InputError, match=rf"^{tmp_path / name}: cannot read this secret: {reason}"):
        read_secret(tmp_path / name)


# The key of the database.


def test_a_key_is_made_only_when_allowed_for_its_owner_only_and_then_kept(tmp_path: Path) -> None:
    file = tmp_path / "haven.key"
    with pytest.raises(InputError, match="the key is not there"):
        load_seal(file, {}, create=False)
    assert not file.exists()
    sealed = load_seal(file, {}, create=True).close(b"words")
    assert file.stat().st_mode & 0o777 == 0o600
    for create in (True, False):
        assert load_seal(file, {}, create=create).open(sealed) == b"words"


def test_an_empty_key_file_that_a_kill_left_behind_gives_way_to_a_key(tmp_path: Path) -> None:
    file = tmp_path / "haven.key"
    file.touch(0o600)
    sealed = load_seal(file, {}, create=True).close(b"words")
    assert load_seal(file, {}, create=False).open(sealed) == b"words"


def test_an_empty_key_file_of_a_database_that_is_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "haven.key"
    file.touch(0o600)
    with pytest.raises(InputError, match=rf"^{file}: not an encryption key"):
        load_seal(file, {}, create=False)
    assert file.read_bytes() == b""


def test_the_key_of_the_environment_comes_first_and_no_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "haven.key"
    key = "A" * 43 + "="
    sealed = load_seal(file, {KEY_VARIABLE: key}, create=True).close(b"words")
    assert Seal(key.encode(), "test").open(sealed) == b"words"
    assert not file.exists()


@pytest.mark.parametrize("key", ["short", "A" * 44, "ä" * 44])
def test_what_is_no_key_is_refused_naming_where_it_came_from_and_not_the_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=r"^HAVEN_KEY: not an encryption key") as caught:
        load_seal(tmp_path / "haven.key", {KEY_VARIABLE: key}, create=True)
    assert key not in str(caught.value)


def test_another_key_and_altered_bytes_do_not_open_what_was_closed(tmp_path: Path) -> None:
    mine, other = (load_seal(tmp_path / name, {}, create=True) for name in ("mine", "other"))
    sealed = mine.close(b"words")
    altered = sealed[:20] + (b"B" if sealed[20:21] == b"A" else b"A") + sealed[21:]
    for seal, held in ((other, sealed), (mine, sealed[:-1]), (mine, b""), (mine, altered)):
        with pytest.raises(InputError, match="does not open"):
            seal.open(held)
