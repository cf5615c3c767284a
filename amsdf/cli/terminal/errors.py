"""What went wrong, in one line: what a person can do about it, or where the traceback is."""

_MEMORY = "out of memory; lower --batch-size"
_DISK = "the disk is full or took no more; make room and start again"
_ENDED = "another of the processes has ended or cannot be reached; its own line says why, if any"
#: Packages of an extra, and the extra.
_EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx"}
#: What an error's type or text contains -> what to say instead. Libraries have no types for these.
_REMEDIES = {
    "OutOfMemoryError": _MEMORY,
    "MemoryError": _MEMORY,
    "allocate memory": _MEMORY,
    "DataLoader worker (pid": "a process that reads audio was killed, mostly because memory ran "
    "out; lower --workers or --batch-size",
    "No space left on device": _DISK,
    "StorageFull": _DISK,
    "PytorchStreamWriter": _DISK,
    "unexpected pos": _DISK,
    "gloo/transport": _ENDED,
    "DistBackendError": _ENDED,
    "DistNetworkError": _ENDED,
    "DistStoreError": _ENDED,
}


def line_of(error: Exception) -> str:
    """One line for a person: a refusal as it is, any other error with a remedy."""
    text = _text(error)
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        extra = _EXTRAS[error.name]
        return f"needs the package {error.name!r}: pip install 'amsdf[{extra}]'"
    if isinstance(error, ModuleNotFoundError):
        return (
            f"package {error.name!r} is missing; run `make setup`, then `source .venv/bin/activate`"
        )
    for sign, remedy in _REMEDIES.items():
        if sign in f"{type(error).__name__}: {text}":
            return f"{remedy} ({text[:200]})" if text and remedy != _ENDED else remedy
    if isinstance(error, ValueError | OSError):
        return text
    what = f"{type(error).__name__}: {text or 'no message'}"
    return f"failed unexpectedly: {what[:300]}; AMSDF_TRACEBACK=1 shows where"


def _text(error: Exception) -> str:
    reason = getattr(error, "strerror", None)
    place = getattr(error, "filename", None)
    if reason:
        return f"{place}: {reason}" if place else str(reason)
    text = str(error).strip()
    if "Original Traceback" in text:  # of a worker: its message is the last line
        text = text.splitlines()[-1]
    return " ".join(text.split())
