"""Where effects become real: one file per platform."""
