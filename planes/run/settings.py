"""One table of options for flags, environment and file: flag > environment > file > default.

Invariant: a value is validated once, by its option's `parse`, wherever it came from; a misspelt
flag, variable or key is an error that names the nearest known one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn, TextIO

import yaml

from planes.model.errors import BadInput
from planes.model.near_names import did_you_mean, nearest_name
from planes.run.declared import declared_variables
from planes.run.values import texts

PREFIX: Final = "NETPLANE_"

BOOLEANS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        **dict.fromkeys(("true", "yes", "on", "1"), True),
        **dict.fromkeys(("false", "no", "off", "0"), False),
    }
)
"""The words for a boolean, in lower case."""

_ALIKE: Final = 0.75
"""More than usual: of dozens of names with common words a less near one is seldom meant."""

# kubelet sets these for every Service of the namespace, and ours are called netplane-….
_SERVICE_LINK: Final = re.compile(r"_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)$")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting.

    Attributes:
        flag: `--state-dir`; the variable is `NETPLANE_STATE_DIR`, the file key `state-dir`, the
            key of the loaded mapping `state_dir`.
        default: as text, put through `parse`; None = absent unless given.
        help: one line for `--help`.
        parse: text to value; raises ValueError or BadInput. Lists and mappings of a file arrive
            as JSON text.
        is_switch: the flag takes no value and means "true".
        metavar: the name of the value in `--help`; "" = by the option's name and type.
        letter: a short flag such as `-o`, "" for none.
    """

    flag: str
    default: str | None
    help: str
    parse: Callable[[str], Any] = str
    is_switch: bool = False
    metavar: str = ""
    letter: str = ""

    @property
    def key(self) -> str:
        """Return the key of the loaded mapping."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return PREFIX + self.key.upper()


CONFIG: Final = Option("--config", None, "file with these settings (YAML or JSON)")


def boolean(text: str) -> bool:
    """Parse a boolean: true, yes, on, 1 and their opposites."""
    if text.lower() not in BOOLEANS:
        raise ValueError(f"{text!r} is neither true nor false")
    return BOOLEANS[text.lower()]


def endpoint(text: str) -> tuple[str, int]:
    """Parse `HOST:PORT` or `[IPv6]:PORT`; an empty host means every address."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare and bare == host:
        raise ValueError(f"{text!r} is not [IPv6]:PORT")
    return bare, int(port)


def directories(text: str) -> tuple[str, ...]:
    """Parse `DIR[:DIR…]`; a JSON list (from a file) is fine too."""
    names = texts(text, ":")
    if not names:
        raise ValueError(f"{text!r} is no list of directories")
    return names


class Parser(argparse.ArgumentParser):
    """An argument parser that ends the program with one line and status 2 at a mistake."""

    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def add_arguments(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add one argument per option; absent ones stay None, so `resolve` can tell."""
    for option in options:
        shown = f" (default: {option.default})" if option.default else ""
        text = f"{option.help}{shown} [{option.variable}]".replace("%", "%%")
        flags = (option.letter, option.flag) if option.letter else (option.flag,)
        if option.is_switch:
            parser.add_argument(
                *flags, dest=option.key, action="store_const", const="true", help=text
            )
        else:
            metavar = option.metavar or _metavar(option)
            parser.add_argument(*flags, dest=option.key, metavar=metavar, help=text)


def _metavar(option: Option) -> str:
    known = {"endpoint": "HOST:PORT", "directories": "DIR[:DIR]", "int": "N"}
    by_flag = "DIR" if option.key.endswith(("_dir", "standalone", "manifests")) else "VALUE"
    return known.get(getattr(option.parse, "__name__", ""), by_flag)


def resolve(
    options: Sequence[Option],
    given: Mapping[str, str | None],
    env: Mapping[str, str],
    declared: Callable[[], Collection[str]] = declared_variables,
) -> Mapping[str, Any]:
    """Merge flags, environment, file and defaults, and parse every value once.

    Args:
        options: of this program.
        given: values of flags, by `Option.key`.
        env: the environment.
        declared: returns the variables of all programs of ours: one shell may set them for all.

    Raises:
        BadInput: an unknown variable or key, a value that does not parse, an unreadable file.
    """
    _refuse_unknown_variables(options, env, declared)
    config = next((option for option in options if option.key == CONFIG.key), None)
    path = (given.get(config.key) or env.get(config.variable)) if config else None
    from_file = read_config(path, options) if path else {}
    values: dict[str, Any] = {}
    for option in options:
        source, text = _pick(option, given, env, from_file)
        values[option.key] = None if text is None else _parse(option, text, source)
    return MappingProxyType(values)


def _pick(
    option: Option,
    given: Mapping[str, str | None],
    env: Mapping[str, str],
    from_file: Mapping[str, str],
) -> tuple[str, str | None]:
    flagged = given.get(option.key)
    if flagged is not None:
        return option.flag, flagged
    if env.get(option.variable):  # an empty variable is an unset one, as everywhere in shells
        return option.variable, env[option.variable]
    if option.key in from_file:
        return f"key {option.flag.lstrip('-')} of the configuration file", from_file[option.key]
    return f"the default of {option.flag}", option.default


def _parse(option: Option, text: str, source: str) -> Any:
    try:
        return option.parse(text)
    except BadInput as error:
        raise BadInput(f"cannot use {source}: {error.message}", remedy=error.remedy) from error
    except (ValueError, TypeError) as error:
        raise BadInput(f"cannot use {source}: {error}", remedy=option.help) from error


def _refuse_unknown_variables(
    options: Sequence[Option],
    env: Mapping[str, str],
    declared: Callable[[], Collection[str]],
) -> None:
    own = {option.variable for option in options}
    strange = [
        name
        for name in sorted(env)
        if name.startswith(PREFIX) and name not in own and not _SERVICE_LINK.search(name)
    ]
    if not strange:
        return
    known = {name.removeprefix(PREFIX) for name in (*own, *declared())}
    for name in strange:
        key = name.removeprefix(PREFIX)
        if key not in known:
            near = nearest_name(key, known, _ALIKE)
            raise BadInput(
                f"cannot use the environment variable {name}: there is no such setting",
                remedy=did_you_mean(near and PREFIX + near, "unset it"),
            )


def read_config(path: str, options: Sequence[Option]) -> Mapping[str, str]:
    """Read a configuration file: a mapping from flag names without dashes to values.

    Raises:
        BadInput: the file cannot be read, is no mapping or has an unknown key.
    """
    try:
        content = yaml.safe_load(Path(path).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read the configuration file {path}: {cause}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "not YAML"
        reason = getattr(error, "problem", None) or "it cannot be parsed"
        raise BadInput(f"cannot read the configuration file {path}: {where}: {reason}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"cannot read the configuration file {path}: it is no mapping")
    known = {option.flag.lstrip("-"): option.key for option in options if option.key != CONFIG.key}
    values: dict[str, str] = {}
    for name, value in content.items():
        key = known.get(str(name))
        if key is None:
            near = nearest_name(str(name), known, _ALIKE)
            raise BadInput(
                f"cannot use the configuration file {path}: unknown key {name}",
                remedy=did_you_mean(near, f"known keys: {_listed(known)}"),
            )
        if value is not None:
            values[key] = value if isinstance(value, str) else json.dumps(value)
    return values


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def load(
    prog: str,
    options: Sequence[Option],
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    description: str = "",
    stderr: TextIO | None = None,
) -> Mapping[str, Any]:
    """Load the settings of a program without subcommands; keys as `Option.key`.

    Raises:
        SystemExit: 2 after one line on stderr where something is wrong, 0 after `--help`.
    """
    parser = Parser(prog=prog, description=description, allow_abbrev=False)
    add_arguments(parser, options)
    given = vars(parser.parse_args(list(argv)))
    try:
        return resolve(options, given, env)
    except BadInput as error:
        print(f"{prog}: {error}", file=stderr or sys.stderr)
        raise SystemExit(2) from None
