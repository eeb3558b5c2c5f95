"""How fast Haven is, and what it takes: `haven bench`. Start reading at `command.py`."""
