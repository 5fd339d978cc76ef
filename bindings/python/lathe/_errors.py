"""What Lathe raises."""
from __future__ import annotations


class Error(Exception):
    """Something that Lathe was given is wrong, or it cannot do what was asked.

    str() of it is the one line that the driver prints; the attributes are its parts, None where one is unknown.
    """

    def __init__(
        self,
        text: str,
        message: str | None = None,
        file: str | None = None,
        node: str | None = None,
        pass_name: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(text)
        self.message = text if message is None else message
        self.file = file
        self.node = node
        self.pass_name = pass_name
        self.hint = hint
