"""Settings from one TOML file, secrets from the environment or from files that only their owner may read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from bot.files import IN_MEMORY
from bot.policy import AdviceBy, Mode, Policy
from bot.sealing import read_secret
from bot.toml import convert, read
from classifiers.assessment import Sensitivity
from classifiers.errors import InputError

_DEFAULT_FILE = Path("haven.toml")
_EXAMPLE = "config.example.toml"

_HERE = r"([A-Za-z][A-Za-z0-9-]*|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?(/\S*)?"
_ID = r"[1-9][0-9]{0,19}"


def _form(pattern: str, words: str) -> Meta:
    """Return what a text has to be, and how that is said."""
    return Meta(pattern=rf"\A({pattern})\Z", description=words)


def _address(scheme: str) -> Meta:
    """Return the form of an address that tokens are sent to."""
    return _form(
        rf"({scheme}s://[^\s/]\S*|{scheme}://{_HERE})?",
        f"an address that begins with {scheme}s://, or this machine or a container beside it, such as"
        f" {scheme}://127.0.0.1:8081 or {scheme}://bot-api:8081: to others a token would travel in clear",
    )


_Path = Annotated[str, _form(r"[^\0]*", "a path without a NUL in it")]
_File = Annotated[_Path, Meta(min_length=1)]
_Url = Annotated[str, _address("http")]
_Socket = Annotated[str, _address("ws")]
_Webhook = Annotated[str, _form(r"(https://[^\s/]\S*)?", "an address that begins with https://")]
_Chat = Annotated[str, _form(rf"(-?{_ID})?", "the id of a channel or chat, such as 1234567890 or -1001234567890")]
_Role = Annotated[str, _form(rf"({_ID})?", "the id of a role, or on Telegram of a moderator, such as 1234567890")]
_Place = Annotated[
    str,
    _form(
        rf"-?{_ID}(/{_ID})?", "the id of a channel, category, group or topic, such as 1234567890 or -1001234567890/5"
    ),
]
_Hours = Annotated[int, Meta(ge=0, le=24 * 365)]
_Days = Annotated[int, Meta(ge=1, le=365)]
_SPACES = "the id of a server or group, such as 1234567890 or -1001234567890, or console"
_SPACE = re.compile(rf"-?{_ID}|console")


class StoreSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the database and its key are; relative paths start at the folder of the settings file."""

    database: _File = "haven.db"
    key_file: _File = "haven.key"


class MemorySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much recent conversation is held in RAM."""

    max_conversations: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    max_age_hours: Annotated[int, Meta(ge=1, le=24 * 30)] = 168


class ModelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which model reads; an empty folder means the one that came with Haven."""

    folder: _Path = ""


class PolicySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a space wants; see `bot.policy.Policy`."""

    mode: Literal["observe", "alert", "advise"] = "advise"
    sensitivity: Literal["low", "normal", "high"] = "normal"
    advice_by: Literal["automatic", "moderator", "opted-in"] = "automatic"
    locale: Literal["en-GB"] = "en-GB"
    alert_channel: _Chat = ""
    page_role: _Role = ""
    skip_channels: tuple[_Place, ...] = ()
    cooldown_hours: _Hours = 24
    incident_gap_days: _Days = 7
    retention_days: Annotated[int, Meta(ge=1, le=90)] = 30
    share_campaigns: bool = True
    follow_rulings: bool = True

    def policy(self) -> Policy:
        """Return the settings as the policy that decisions read."""
        return Policy(
            mode=Mode[self.mode.upper()],
            sensitivity=Sensitivity(self.sensitivity),
            advice_by=AdviceBy(self.advice_by),
            locale=self.locale,
            alert_channel=self.alert_channel or None,
            page=self.page_role or None,
            skipped=self.skip_channels,
            cooldown=timedelta(hours=self.cooldown_hours),
            incident_gap=timedelta(days=self.incident_gap_days),
            retention=timedelta(days=self.retention_days),
            share_campaigns=self.share_campaigns,
            follow_rulings=self.follow_rulings,
        )


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is said on standard error, and how; message text never is."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where metrics and health can be asked for; empty: nowhere."""

    listen: str = ""
    beyond_this_machine: bool = False

    def __post_init__(self) -> None:
        if self.listen and not (self.address[0].is_loopback or self.beyond_this_machine):
            raise ValueError(
                "listen: other machines could ask at this address; set beyond_this_machine = true to allow it"
            )

    @property
    def address(self) -> tuple[IPv4Address | IPv6Address, int]:
        """The address and the port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        try:
            if not (port.isdecimal() and port.isascii() and 0 < int(port) < 1 << 16):
                raise ValueError
            return ip_address(host.removeprefix("[").removesuffix("]")), int(port)
        except ValueError:
            raise ValueError(
                "listen: expected an IP address and a port from 1 to 65535, such as 127.0.0.1:9464"
            ) from None


class PlatformSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a platform's token is, unless the environment holds it; empty: nowhere."""

    token_file: _Path = ""


class DiscordSettings(PlatformSettings, frozen=True, forbid_unknown_fields=True):
    """How Haven is on Discord; empty addresses mean Discord's own."""

    read_messages: bool = True
    warnings_a_day: Annotated[int, Meta(ge=0, le=1000)] = 50
    api_url: _Url = ""
    gateway_url: _Socket = ""


class TelegramSettings(PlatformSettings, frozen=True, forbid_unknown_fields=True):
    """How Haven is on Telegram; empty addresses mean Telegram's own, an empty webhook that Haven asks for updates."""

    api_url: _Url = ""
    file_url: _Url = ""
    webhook_url: _Webhook = ""
    webhook_listen: str = "127.0.0.1"
    webhook_port: Annotated[int, Meta(ge=1, le=65535)] = 8443

    def __post_init__(self) -> None:
        try:
            if self.webhook_listen != "localhost":
                ip_address(self.webhook_listen)
        except ValueError:
            raise ValueError(
                "webhook_listen: expected an IP address without a port, such as 127.0.0.1 (the port is webhook_port)"
            ) from None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; `spaces` overrides `policy` for single servers or groups, by their id."""

    store: StoreSettings = StoreSettings()
    memory: MemorySettings = MemorySettings()
    model: ModelSettings = ModelSettings()
    policy: PolicySettings = PolicySettings()
    spaces: dict[str, Any] = {}
    discord: DiscordSettings = DiscordSettings()
    telegram: TelegramSettings = TelegramSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()

    def policy_of(self, space: str, chosen: Mapping[str, Any] | None = None) -> Policy:
        """Return the policy of a space: that of all, what the file says of the space, what its moderators chose."""
        own = self.spaces.get(space, {})
        if not own and not chosen:
            return self.policy.policy()
        wanted = msgspec.to_builtins(self.policy) | own | (chosen or {})
        return convert(wanted, PolicySettings, f"settings of {space}", "").policy()


TOKEN_VARIABLES = {"discord": "HAVEN_DISCORD_TOKEN", "telegram": "HAVEN_TELEGRAM_TOKEN"}


def load_config(file: Path | None) -> tuple[Config, Path]:
    """Return the settings and the folder their paths start at.

    Without a file `haven.toml` in the current folder is read if it is there. InputError names the
    file, the key and what is allowed.
    """
    file = file or default_file()
    if file is None:
        return Config(), Path()
    config = convert(read(file), Config, str(file), "")
    for space, own in config.spaces.items():
        if not _SPACE.fullmatch(space):
            raise InputError(f'{file}: spaces."{space}": expected {_SPACES}')
        convert(own, PolicySettings, str(file), f'spaces."{space}"')
    if Path(config.store.database) == IN_MEMORY:
        raise InputError(f"{file}: store.database: expected a file, which {IN_MEMORY} is none of")
    if (file.parent / config.store.database).resolve() == (file.parent / config.store.key_file).resolve():
        raise InputError(f"{file}: store.key_file: expected another file than store.database")
    return config, file.parent


def default_file() -> Path | None:
    """Return `haven.toml` of the current folder, None without one; a link that leads nowhere is one."""
    return _DEFAULT_FILE if _DEFAULT_FILE.exists() or _DEFAULT_FILE.is_symlink() else None


def example() -> str:
    """Return `config.example.toml`, which lies inside the package, or above it in a checkout."""
    here = Path(__file__).parent
    inside, above = here / _EXAMPLE, here.parent / _EXAMPLE
    return (inside if inside.exists() else above).read_text(encoding="utf-8")


def token(platform: str, settings: PlatformSettings, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Return a platform's token: from the environment, else from its file, else None; an empty variable is none."""
    variable = TOKEN_VARIABLES[platform]
    where, held = variable, environment.get(variable, "").strip()
    if not held and settings.token_file:
        where, held = str(folder / settings.token_file), read_secret(folder / settings.token_file)
        if not held:
            raise InputError(f"{where}: the file is empty; it should hold the token")
    if any(character.isspace() or not character.isprintable() for character in held):
        raise InputError(f"{where}: a token is one word, without line breaks")
    return held or None


def check_choice(chosen: Mapping[str, Any], space: str) -> None:
    """Check keys of the policy that a space wants to set itself; InputError says which is wrong and what is allowed."""
    convert(dict(chosen), PolicySettings, f"settings of {space}", "")
