"""The methods about messages: sending, editing and deleting them."""

from __future__ import annotations

from typing import Any

from localtelegram.api import Api, Call, Refusal, bad
from localtelegram.entities import JSON, ParseError, found, parse_html, trimmed, units
from localtelegram.keyboards import inline_keyboard
from localtelegram.rights import Member
from localtelegram.state import Chat, Message, User
from localtelegram.world import World

MOST_TEXT, MOST_CAPTION, TWO_DAYS = 4096, 1024, 48 * 3600
_LASTING = {"forum_topic_created", "migrate_from_chat_id"}
_SAME = "specified new message content and reply markup are exactly the same as a current content and reply markup"


def in_chat(world: World, id: Any) -> Chat:
    """Return a chat that the bot names, or refuse with what is wrong about it."""
    chat = world.find_chat(id) if str(id).startswith("@") or str(id).lstrip("-").isdigit() else None
    if chat is None:
        raise bad("chat not found")
    if chat.migrated_to:
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to.id)
    return chat


def own_place(chat: Chat) -> Member:
    """Return the bot's membership of a group or channel, or refuse as it is not in it."""
    bot, kind = chat.bot, f"{chat.kind} chat" if chat.kind != "channel" else "channel chat"
    if bot is None or not bot.inside:
        kicked = bot is not None and bot.status == "kicked"
        raise Refusal(403, f"Forbidden: bot {'was kicked from' if kicked else 'is not a member of'} the {kind}")
    return bot


def may_write(chat: Chat) -> None:
    """Refuse if the bot cannot write in a chat."""
    user = chat.user
    if user is None:
        place = own_place(chat)
        silent = place.status == "restricted" and not place.permissions.get("can_send_messages")
        closed = place.status == "member" and not chat.permissions.get("can_send_messages", True)
        if silent or closed:
            raise bad("not enough rights to send text messages to the chat")
        if chat.kind == "channel" and not place.may("can_post_messages"):
            raise bad("need administrator rights in the channel chat")
    elif user.is_bot:
        raise Refusal(403, "Forbidden: bot can't send messages to bots")
    elif user.deactivated:
        raise Refusal(403, "Forbidden: user is deactivated")
    elif user.blocked:
        raise Refusal(403, "Forbidden: bot was blocked by the user")
    elif not user.started:
        raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")


def read_text(world: World, call: Call, name: str, entities: str, most: int) -> tuple[str, list[JSON]]:
    """Return the text of a request and its entities, or refuse it."""
    text, mode = str(call.get(name, "")), str(call.get("parse_mode", "")).lower()
    made: list[JSON] = list(call.get(entities) or [])
    if mode == "html":
        try:
            text, made = parse_html(text)
        except ParseError as error:
            raise bad(f"can't parse entities: {error}", fault=True) from None
    elif mode:
        world.complain(f"{call.method}: only the parse mode HTML is supported here, not {mode}")
        raise bad("unsupported parse_mode", fault=True)
    else:
        text, made = trimmed(text, made)
    if "\0" in text:
        text = text.replace("\0", " ")
    if units(text) > most:
        what = "message is too long" if most == MOST_TEXT else "message caption is too long"
        raise bad(what, fault=True)
    return text, found(text, [one for one in (_known(world, one) for one in made) if one])


def _known(world: World, one: JSON) -> JSON | None:
    if one["type"] != "text_mention":
        return one
    id = one["user_id"] if "user_id" in one else one["user"]["id"]
    user = world.users.get(id)
    kept = {key: value for key, value in one.items() if key != "user_id"}
    return kept | {"user": user.payload()} if user else None


class Messages:
    """What the bot writes."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        self.connections: dict[str, Any] = {}
        api.add(sendMessage=self.send, sendDocument=self.send_document, sendChatAction=self.action)
        api.add(editMessageText=self.edit_text, editMessageReplyMarkup=self.edit_markup)
        api.add(editMessageCaption=self.edit_caption)
        api.add(deleteMessage=self.delete, deleteMessages=self.delete_many)

    def _target(self, call: Call) -> Chat:
        connection = call.get("business_connection_id")
        if connection is not None:
            known = self.connections.get(str(connection))
            if known is None:
                raise bad("business connection not found")
            chat: Chat = known.target(call["chat_id"])
            return chat
        chat = in_chat(self.world, call["chat_id"])
        may_write(chat)
        return chat

    def _reply(self, call: Call, chat: Chat, made: Message) -> None:
        about = call.get("reply_parameters") or {}
        id = about.get("message_id")
        if id is None:
            return
        where = in_chat(self.world, about["chat_id"]) if "chat_id" in about else chat
        answered = where.messages.get(int(id))
        if answered is None:
            if not about.get("allow_sending_without_reply"):
                raise bad("message to be replied not found")
            return
        if where is chat:
            made.reply_to = answered
        else:
            made.extra["external_reply"] = {"origin": answered.origin(), "message_id": answered.id}
            made.extra["external_reply"] |= {"chat": where.payload()} if where.kind == "supergroup" else {}
        if about.get("quote"):
            if about["quote"] not in answered.text:
                raise bad("QUOTE_TEXT_INVALID")
            position = units(answered.text[: answered.text.index(about["quote"])])
            made.extra["quote"] = {"text": about["quote"], "position": position, "is_manual": True}

    @staticmethod
    def _has(chat: Chat, thread: int) -> bool:
        if chat.forum:
            return thread in chat.topics
        return chat.kind == "supergroup" and thread in chat.messages

    def _new(self, call: Call, chat: Chat, text: str, entities: list[JSON]) -> Message:
        thread = call.get("message_thread_id")
        if thread is not None and not self._has(chat, int(thread)):
            raise bad("message thread not found")
        keyboard = inline_keyboard(self.world, call.get("reply_markup"))
        author: User | None = self.world.bot
        sender = None
        if chat.connection:
            author = self.connections[chat.connection].user
        elif chat.kind == "channel":
            author, sender = None, chat
        made = Message(chat, 0, author, self.world.now(), text, entities, sender, topic=thread, keyboard=keyboard)
        made.by_bot = True
        if chat.connection:
            made.extra["sender_business_bot"] = self.world.bot.payload()
        if call.get("protect_content"):
            made.extra["has_protected_content"] = True
        preview = call.get("link_preview_options")
        if preview and text:
            made.extra["link_preview_options"] = preview
        self._reply(call, chat, made)
        return made

    def _kept(self, made: Message) -> JSON:
        chat = made.chat
        made.id = chat.new_id()
        chat.messages[made.id] = made
        if chat.is_group:
            chat.last_bot = self.world.bot
        return made.payload()

    async def send(self, call: Call) -> Any:
        """Write a text."""
        chat = self._target(call)
        text, entities = read_text(self.world, call, "text", "entities", MOST_TEXT)
        if not text:
            raise bad("message text is empty", fault=True)
        return self._kept(self._new(call, chat, text, entities))

    async def send_document(self, call: Call) -> Any:
        """Send a file, uploaded now or known by its id."""
        chat = self._target(call)
        text, entities = read_text(self.world, call, "caption", "caption_entities", MOST_CAPTION)
        named = str(call.params.get("document", ""))
        upload = call.files.get(named.removeprefix("attach://") or "document")
        if upload:
            file = self.world.new_file(upload.data, upload.name, upload.kind)
        elif named in self.world.files:
            file = self.world.files[named]
        else:
            raise bad("wrong file identifier/HTTP URL specified", fault=True)
        if not file.data:
            raise bad("file must be non-empty", fault=True)
        made = self._new(call, chat, text, entities)
        made.file = file
        made.extra["document"] = file.payload(file_name=file.name or "file", mime_type=file.kind)
        made.extra.pop("link_preview_options", None)
        return self._kept(made)

    async def action(self, call: Call) -> Any:
        """Show that the bot types."""
        self._target(call)
        return True

    def _editable(self, call: Call) -> Message:
        if call.get("inline_message_id"):
            raise bad("MESSAGE_ID_INVALID")
        connection = call.get("business_connection_id")
        chat = self._target(call) if connection else in_chat(self.world, call["chat_id"])
        if chat.user and not connection and (chat.user.blocked or chat.user.deactivated):
            may_write(chat)
        if not chat.user:
            own_place(chat)
        message = chat.messages.get(int(call["message_id"]))
        if message is None:
            raise bad("message to edit not found")
        if not message.by_bot:
            raise bad("message can't be edited")
        return message

    def _edited(self, call: Call, message: Message, text: str, entities: list[JSON], *, body: bool) -> Any:
        keyboard = inline_keyboard(self.world, call.get("reply_markup"))
        same = (message.text, message.entities) == (text, entities) if body else True
        if same and message.keyboard == keyboard:
            raise bad(f"message is not modified: {_SAME} of the message")
        message.text, message.entities, message.keyboard = text, entities, keyboard
        if body:
            message.edited = self.world.now()
            preview = call.get("link_preview_options")
            if preview:
                message.extra["link_preview_options"] = preview
        return message.payload()

    async def edit_text(self, call: Call) -> Any:
        """Change the text of a message of the bot's own; without a keyboard in the request, the keyboard goes."""
        message = self._editable(call)
        text, entities = read_text(self.world, call, "text", "entities", MOST_TEXT)
        if message.file:
            raise bad("there is no text in the message to edit")
        if not text:
            raise bad("message text is empty", fault=True)
        return self._edited(call, message, text, entities, body=True)

    async def edit_caption(self, call: Call) -> Any:
        """Change the caption of a file."""
        message = self._editable(call)
        text, entities = read_text(self.world, call, "caption", "caption_entities", MOST_CAPTION)
        if not message.file:
            raise bad("there is no caption in the message to edit")
        return self._edited(call, message, text, entities, body=True)

    async def edit_markup(self, call: Call) -> Any:
        """Change the keyboard of a message of the bot's own."""
        message = self._editable(call)
        return self._edited(call, message, message.text, message.entities, body=False)

    def _deletable(self, chat: Chat, message: Message) -> bool:
        if _LASTING & set(message.extra):
            return False
        if chat.bot and chat.bot.may("can_delete_messages"):
            return True
        return (message.by_bot or chat.kind == "private") and self.world.now() - message.date < TWO_DAYS

    async def delete(self, call: Call) -> Any:
        """Delete a message."""
        chat = in_chat(self.world, call["chat_id"])
        if not chat.user:
            own_place(chat)
        message = chat.messages.get(int(call["message_id"]))
        if message is None:
            raise bad("message to delete not found")
        if not self._deletable(chat, message):
            raise bad("message can't be deleted" if chat.kind == "private" else "message can't be deleted for everyone")
        del chat.messages[message.id]
        return True

    async def delete_many(self, call: Call) -> Any:
        """Delete up to 100 messages, passing over those that are not there."""
        chat, ids = in_chat(self.world, call["chat_id"]), list(call["message_ids"])
        if not 1 <= len(ids) <= 100:
            raise bad("there must be 1 to 100 message identifiers", fault=True)
        if not chat.user:
            own_place(chat)
        found = [chat.messages[int(id)] for id in ids if int(id) in chat.messages]
        if any(not self._deletable(chat, message) for message in found):
            raise bad("message can't be deleted for everyone")
        for message in found:
            del chat.messages[message.id]
        return True
