"""The one exception for mistakes that a person can mend."""


class InputError(ValueError):
    """A wrong file, row, option or directory; its message is one line that says where and what to mend.

    The command line prints the message to stderr and exits with code 2; library users catch a ValueError.
    """
