"""Haven: notices sextortion in chat, privately helps the person targeted and alerts the moderators."""
