"""Examples in docstrings shown as code: `Example:` is read as griffe's section `Examples:`."""

from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Called for every object that mkdocstrings reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rename the section."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
