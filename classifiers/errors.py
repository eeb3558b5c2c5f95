"""The one error a user sees: what is wrong and where, in one line."""


class InputError(Exception):
    """Something given to Haven (a file, a setting, a model) cannot be used; the text says what and where."""
