"""Reads conversations: messages in, assessments out; usable without the bot."""
