"""The exceptions of lochan: `Error` and one class below it for each code of the library.

Every one carries the fields of the failure (see `Error`). Where Python has a class for the same thing, it is a second base:
`except FileNotFoundError` catches a `NotFoundError`.
"""

from lochan import _lochan

Error = _lochan.Error
__all__ = ["Error"]
for _name, _value in vars(_lochan).items():
    if isinstance(_value, type) and issubclass(_value, Error) and _value is not Error:
        globals()[_name] = _value
        __all__.append(_name)
del _name, _value
