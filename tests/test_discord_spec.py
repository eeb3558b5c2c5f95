"""Discord's published OpenAPI lets through what discord.py really sends, and names each mistake made on purpose."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import discord
import pytest
from discord import app_commands, ui
from discord.http import HTTPClient, Route, handle_message_parameters
from discord.webhook import async_ as webhooks
from localdiscord import spec as judged
from localdiscord.spec import AMENDMENTS, Spec, load_spec

pytestmark = pytest.mark.skipif(load_spec() is None, reason="Discord's OpenAPI is not beside this checkout")

ID = 1200000000000000001
TEXT_ID = str(ID)
USER = {
    "id": TEXT_ID,
    "username": "ana",
    "avatar": None,
    "discriminator": "0",
    "public_flags": 0,
    "flags": 0,
    "global_name": None,
    "primary_guild": None,
}
BUTTON = {"type": 2, "id": 2, "style": 4, "label": "Not me", "custom_id": "no"}
MESSAGE = {
    "id": TEXT_ID,
    "channel_id": TEXT_ID,
    "type": 0,
    "author": USER,
    "content": "hello",
    "timestamp": "2026-01-02T03:04:05.678000+00:00",
    "edited_timestamp": None,
    "tts": False,
    "mention_everyone": False,
    "mentions": [],
    "mention_roles": [],
    "attachments": [],
    "embeds": [{"type": "rich", "title": "Alert", "fields": [{"name": "who", "value": "bo", "inline": False}]}],
    "components": [{"type": 1, "id": 1, "components": [BUTTON]}],
    "pinned": False,
    "flags": 0,
    "invented_later": True,
}
WRONG_FIELD = {"content": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}}
MESSAGES = f"/channels/{ID}/messages"
CALLBACK = f"/interactions/{ID}/token/callback"
MEMBER = f"/guilds/{ID}/members/{ID}"
POST_MESSAGE = "POST /channels/{channel_id}/messages"
POST_CALLBACK = "POST /interactions/{interaction_id}/{interaction_token}/callback"

ANSWERS: list[tuple[str, str, int, object]] = [
    ("POST", MESSAGES, 200, MESSAGE),
    ("POST", f"/webhooks/{ID}/token", 200, MESSAGE),
    ("PATCH", f"/webhooks/{ID}/token/messages/@original", 200, MESSAGE),
    ("GET", "/users/@me", 404, {"code": 0, "message": "404: Not Found"}),
    ("POST", MESSAGES, 400, {"code": 50035, "message": "Invalid Form Body", "errors": WRONG_FIELD}),
    ("POST", MESSAGES, 429, {"message": "You are being rate limited.", "retry_after": 0.5, "global": False}),
    ("POST", "/users/@me/channels", 200, {"id": TEXT_ID, "type": 1, "flags": 0, "recipients": [USER]}),
    ("POST", CALLBACK, 200, {"interaction": {"id": TEXT_ID, "type": 2}, "resource": {"type": 4, "message": MESSAGE}}),
    ("POST", CALLBACK, 204, None),
    ("DELETE", f"{MESSAGES}/{ID}", 204, None),
]


class Sent(NamedTuple):
    """A request as discord.py hands it to its HTTP session."""

    method: str
    path: str
    body: object | None
    query: dict[str, str]


class Say(ui.Modal, title="Say what happened"):
    """A form with every kind of field there is a use for."""

    words: ui.TextInput[Say] = ui.TextInput(
        label="In your words", custom_id="words", style=discord.TextStyle.long, required=False, max_length=500
    )
    kind: ui.Label[Say] = ui.Label(
        text="Kind",
        description="What was it?",
        component=ui.Select(custom_id="kind", options=[discord.SelectOption(label="threat", value="t")]),
    )
    note: ui.TextDisplay[ui.LayoutView] = ui.TextDisplay("Only moderators see this.")


def buttons() -> ui.View:
    """Return one of each component that classic messages can carry."""
    view = ui.View(timeout=None)
    view.add_item(ui.Button(label="Not me", style=discord.ButtonStyle.danger, custom_id="case:1", emoji="🛟"))
    view.add_item(ui.Button(label="Help", url="https://stopncii.org"))
    view.add_item(ui.Select(custom_id="s", placeholder="which", options=[discord.SelectOption(label="x", emoji="✅")]))
    view.add_item(ui.UserSelect(custom_id="u"))
    view.add_item(ui.ChannelSelect(custom_id="c", channel_types=[discord.ChannelType.text]))
    return view


def layout() -> ui.LayoutView:
    """Return a message of the newer components."""
    view = ui.LayoutView(timeout=None)
    section: ui.Section[ui.LayoutView] = ui.Section("x", accessory=ui.Button(label="b", custom_id="b"))
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow(ui.Button(label="z", custom_id="z"))
    view.add_item(ui.Container(ui.TextDisplay("hello"), ui.Separator(), section, row, accent_colour=0xAA0000))
    return view


def embed() -> discord.Embed:
    """Return an embed with everything in it."""
    made = discord.Embed(
        title="Alert", description="d", colour=0xAA0000, timestamp=datetime.now(UTC), url="https://a.b"
    )
    made.set_author(name="n", icon_url="https://a.b/c.png").set_footer(text="f").add_field(name="who", value="bo")
    return made.set_image(url="attachment://x.png").set_thumbnail(url="https://a.b/c.png")


def file() -> discord.File:
    """Return a small file."""
    return discord.File(io.BytesIO(b"x"), "x.txt", description="the transcript")


def commands() -> list[dict[str, Any]]:
    """Return commands of every kind, as discord.py syncs them."""
    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    group = app_commands.Group(name="haven", description="Haven", guild_only=True)

    @tree.command(description="Report somebody")
    @app_commands.default_permissions(moderate_members=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.choices(kind=[app_commands.Choice(name="threat", value="t")])
    async def report(
        interaction: discord.Interaction,
        member: discord.Member,
        kind: str,
        days: app_commands.Range[int, 1, 7],
        note: app_commands.Range[str, 1, 50],
        quiet: bool = False,
    ) -> None: ...

    @tree.context_menu(name="Report message")
    async def report_message(interaction: discord.Interaction, message: discord.Message) -> None: ...

    @group.command(description="How it is going")
    async def status(interaction: discord.Interaction, case: str) -> None: ...

    @status.autocomplete("case")
    async def cases(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return []

    tree.add_command(group)
    return [command.to_dict(tree) for command in tree.get_commands()]


@pytest.fixture
def spec() -> Spec:
    """Return the published document."""
    found = load_spec()
    assert found is not None
    return found


@pytest.fixture
async def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Let discord.py make its requests, kept here at the point where they would go out."""
    kept: list[Sent] = []

    async def keep(client: object, route: Route, session: object = None, **given: Any) -> None:
        body = given.get("json", given.get("payload"))
        for part in given.get("form") or given.get("multipart") or ():
            body = json.loads(part["value"]) if part["name"] == "payload_json" else body
        query = {key: str(value) for key, value in (given.get("params") or {}).items()}
        kept.append(Sent(route.method, route.url.removeprefix(Route.BASE), json.loads(json.dumps(body)), query))

    monkeypatch.setattr(HTTPClient, "request", keep)
    monkeypatch.setattr(webhooks.AsyncWebhookAdapter, "request", keep)
    http, hook = HTTPClient(asyncio.get_running_loop()), webhooks.AsyncWebhookAdapter()  # type: ignore[no-untyped-call]
    message, say, act = (
        handle_message_parameters,
        webhooks.interaction_message_response_params,
        webhooks.interaction_response_params,
    )
    mentions = discord.AllowedMentions(everyone=False, users=[discord.Object(ID)], roles=[discord.Object(ID)])
    reply = discord.MessageReference(message_id=ID, channel_id=ID, guild_id=ID).to_message_reference_dict()
    private = discord.MessageFlags(ephemeral=True)
    alert = message("x", embed=embed(), view=buttons(), allowed_mentions=mentions, nonce="1-2", message_reference=reply)
    edit = message(content=None, embeds=[embed()], view=None, attachments=[file()], allowed_mentions=mentions)
    follow = message("x", flags=private, embed=embed(), view=buttons(), allowed_mentions=discord.AllowedMentions.none())
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    requests: list[Awaitable[object]] = [
        http.send_message(ID, params=alert),
        http.send_message(ID, params=message("x", file=file(), allowed_mentions=discord.AllowedMentions.all())),
        http.send_message(ID, params=message(view=layout())),
        http.edit_message(ID, ID, params=edit),
        http.delete_message(ID, ID, reason="r"),
        http.delete_messages(ID, [ID, ID + 1]),
        http.logs_from(ID, 50, before=ID),
        http.add_reaction(ID, ID, "✅"),
        http.send_typing(ID),
        http.start_private_message(ID),
        http.edit_member(ID, ID, communication_disabled_until=until),
        http.edit_member(ID, ID, communication_disabled_until=None, roles=(ID, ID + 1)),
        http.get_member(ID, ID),
        http.get_members(ID, 1000, ID),
        http.kick(ID, ID, reason="r"),
        http.ban(ID, ID, 3600, reason="r"),
        http.unban(ID, ID),
        http.bulk_ban(ID, [ID], 0),
        http.get_guild(ID, with_counts=True),
        http.application_info(),
        http.bulk_upsert_global_commands(ID, payload=commands()),
        http.bulk_upsert_guild_commands(ID, ID, payload=commands()),
        http.upsert_global_command(ID, commands()[0]),  # type: ignore[arg-type]
        *(
            hook.create_interaction_response(ID, "token", session=None, params=params)  # type: ignore[arg-type]
            for params in (
                say(type=4, content="x", flags=private, embed=embed(), view=buttons(), allowed_mentions=mentions),
                say(type=4, view=layout(), flags=discord.MessageFlags(ephemeral=True)),
                say(type=4, content="x", file=file()),
                act(5),
                act(5, {"flags": private.value}),
                act(6),
                say(type=7, content="x", embeds=[embed()], view=None),
                act(8, {"choices": [app_commands.Choice(name="a", value="b").to_dict()]}),
                act(9, Say(custom_id="say").to_dict()),
            )
        ),
        hook.execute_webhook(ID, "token", session=None, payload=follow.payload, wait=True),  # type: ignore[arg-type]
        hook.edit_original_interaction_response(ID, "token", session=None, payload=message("x").payload),  # type: ignore[arg-type]
        hook.edit_webhook_message(ID, "token", ID, session=None, multipart=edit.multipart),  # type: ignore[arg-type]
        hook.delete_original_interaction_response(ID, "token", session=None),  # type: ignore[arg-type]
    ]
    for request in requests:
        await request
    assert len(kept) == len(requests)
    return kept


def test_what_discord_py_sends_is_right(spec: Spec, sent: list[Sent]) -> None:
    """Nothing is said against the client whose requests Discord takes every day."""
    assert [problem for each in sent for problem in spec.request(*each)] == []


def test_answers_as_discord_gives_them_are_right(spec: Spec) -> None:
    """Answers may have keys that are not published yet."""
    assert [problem for answer in ANSWERS for problem in spec.response(*answer)] == []


@pytest.mark.parametrize("left_out", range(len(AMENDMENTS)))
def test_every_amendment_is_needed(left_out: int, sent: list[Sent], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them, real requests or answers are complained of."""
    monkeypatch.setattr(judged, "AMENDMENTS", AMENDMENTS[:left_out] + AMENDMENTS[left_out + 1 :])
    spec = load_spec.__wrapped__()
    assert spec is not None
    assert [spec.request(*each) for each in sent if spec.request(*each)] or [
        spec.response(*answer) for answer in ANSWERS if spec.response(*answer)
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "problems"),
    [
        ("POST", f"{MESSAGES}/", {"content": "x"}, {}, [f"POST {MESSAGES}/: unknown route"]),
        ("PUT", MESSAGES, {"content": "x"}, {}, [f"PUT {MESSAGES}: unknown route"]),
        ("POST", MESSAGES, None, {}, [f"{POST_MESSAGE}: body: missing"]),
        ("GET", "/users/@me", {}, {}, ["GET /users/@me: body: forbidden"]),
        ("POST", MESSAGES, {"contnet": "x"}, {}, [f"{POST_MESSAGE}: $.contnet: unknown key"]),
        (
            "POST",
            MESSAGES,
            {"embeds": [{"titel": "x", "color": -1}], "sticker_ids": [ID]},
            {},
            [
                f"{POST_MESSAGE}: $.embeds[0].color: -1 is less than the minimum of 0",
                f"{POST_MESSAGE}: $.embeds[0].titel: unknown key",
                f"{POST_MESSAGE}: $.sticker_ids[0]: {ID} is not of type 'string'",
            ],
        ),
        (
            "POST",
            MESSAGES,
            {
                "components": [
                    {"type": 1, "components": [{"type": 2, "lable": "x"}, {"type": 2, "style": 4, "label": 5}]}
                ]
            },
            {},
            [
                f"{POST_MESSAGE}: $.components[0].components[0].lable: unknown key",
                f"{POST_MESSAGE}: $.components[0].components[0]: 'style' is a required property",
                f"{POST_MESSAGE}: $.components[0].components[1].label: 5 is not of type 'string', 'null'",
            ],
        ),
        (
            "POST",
            CALLBACK,
            {"type": 4, "data": {"content": 5, "flag": 64}},
            {"with_response": "maybe", "wait": "1"},
            [
                f'{POST_CALLBACK}: with_response: \'maybe\' is not {{"type": "boolean"}}',
                f"{POST_CALLBACK}: wait: unknown in the query",
                f"{POST_CALLBACK}: $.data.content: 5 is not of type 'string', 'null'",
                f"{POST_CALLBACK}: $.data.flag: unknown key",
            ],
        ),
        (
            "PATCH",
            MEMBER,
            {"communication_disabled_until": "tomorrow"},
            {},
            [
                "PATCH /guilds/{guild_id}/members/{user_id}: "
                "$.communication_disabled_until: 'tomorrow' is not a 'date-time'"
            ],
        ),
        (
            "PUT",
            f"/applications/{ID}/commands",
            [{"description": "no name"}],
            {},
            ["PUT /applications/{application_id}/commands: $[0]: 'name' is a required property"],
        ),
    ],
)
def test_mistakes_in_requests(
    spec: Spec, method: str, path: str, body: object, query: Mapping[str, str], problems: list[str]
) -> None:
    """Each mistake is one line, with its route, its place and its reason."""
    assert spec.request(method, path, body, query) == problems


def test_an_id_in_the_path_is_digits(spec: Spec) -> None:
    """A name is no id, and what is reserved for oneself is no id either."""
    (problem,) = spec.request("GET", "/channels/general/messages", None)
    assert problem.startswith("GET /channels/{channel_id}/messages: channel_id: 'general' is not ")
    assert spec.request("PATCH", f"/guilds/{ID}/members/@me", {"nick": "Haven"}) == []
    (problem,) = spec.request("GET", f"/guilds/{ID}/members/@me", None)
    assert problem.startswith("GET /guilds/{guild_id}/members/{user_id}: user_id: '@me' is not ")


def test_mistakes_in_answers(spec: Spec) -> None:
    """Wrong types, formats and unions are found at any depth; what is missing is named."""
    wrong = deepcopy(MESSAGE) | {"id": ID, "author": USER | {"id": "ana"}, "timestamp": "2026-01-02", "components": [5]}
    del wrong["tts"]
    assert spec.schema("MessageResponse", wrong) == [
        "MessageResponse: $.timestamp: '2026-01-02' is not a 'date-time'",
        "MessageResponse: $.components[0]: 5 is not of type 'object'",
        f"MessageResponse: $.id: {ID} is not of type 'string'",
        "MessageResponse: $.author.id: 'ana' does not match '^(0|[1-9][0-9]*)$'",
        "MessageResponse: $.author.id: 'ana' is not a 'snowflake'",
        "MessageResponse: $: 'tts' is a required property",
    ]
    assert spec.response("POST", MESSAGES, 500, None) == [
        f"{POST_MESSAGE} 500: status: only 200, 429, 4XX are published"
    ]
    assert spec.response("POST", MESSAGES, 404, {"message": "x"}) == [
        f"{POST_MESSAGE} 404: $: 'code' is a required property"
    ]
    assert spec.response("POST", MESSAGES, 429, {"message": "x", "retry_after": "1", "global": False}) == [
        f"{POST_MESSAGE} 429: $.retry_after: '1' is not of type 'number'"
    ]
    assert spec.response("POST", MESSAGES, 200, None) == [f"{POST_MESSAGE} 200: $: None is not of type 'object'"]
    assert spec.response("POST", CALLBACK, 204, {}) == [f"{POST_CALLBACK} 204: body: forbidden"]
    assert spec.response("POST", "/nowhere", 200, None) == ["POST /nowhere: unknown route"]


def test_none_where_there_is_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout alone has no document, and its tests must pass."""
    monkeypatch.setenv("HAVEN_SPECS", str(tmp_path))
    assert load_spec.__wrapped__() is None
