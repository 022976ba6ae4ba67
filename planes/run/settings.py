"""One table of options for flags, environment and file: flag > environment > file > default.

Invariant: a value is validated once, by its option's `parse`, wherever it came from; a misspelt
flag, variable or key is an error that names the near miss, never silently ignored.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn, TextIO

import yaml

from planes.model.errors import BadInput

PREFIX: Final = "NETPLANE_"

# Variables that some program of ours reads: setting one for all of them must not stop another.
_SHARED: Final = frozenset(
    {
        *("STANDALONE", "NODE", "SOCKET", "STATE_DIR", "ADDRESS_DIR", "ADDRESSES", "METRICS"),
        "DATA_DIRS",
        *("CNI_CONF_DIR", "CNI_BIN_DIR", "CONFIG", "LOG_LEVEL", "LISTEN", "CERT_DIR", "NATIVE"),
        *("CERT_NAMES", "DRAIN_GRACE", "MAX_IN_FLIGHT", "CALL_DEADLINE", "PLUGIN_DEADLINE"),
        *("NAMESPACE_ISOLATION", "GLOBAL_NAMESPACES"),
        *("NADS", "NAD_NAMESPACES", "NAD_INTERFACES", "NAD_TYPES", "NAD_HOST_PORTS"),
        *("MANIFESTS", "WEBHOOK", "CA", "SHIM"),
        *("KUBECONFIG", "NAMESPACE", "POD", "SERVICE", "CERTIFICATES", "CLIENT_CA", "HOST_ROOT"),
        *("REPLACE_MULTUS", "MULTUS_CACHE"),
        "OUTPUT",
    }
)

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
        metavar: what `--help` calls the value; "" = told from the option's name and type.
    """

    flag: str
    default: str | None
    help: str
    parse: Callable[[str], Any] = str
    is_switch: bool = False
    metavar: str = ""

    @property
    def key(self) -> str:
        """The key of the loaded mapping."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.key.upper()


CONFIG: Final = Option("--config", None, "file with these settings (YAML or JSON)")


def boolean(text: str) -> bool:
    """Parse yes and no the usual ways."""
    known = {"true": True, "yes": True, "on": True, "1": True}
    known |= {"false": False, "no": False, "off": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is neither true nor false")
    return known[text.lower()]


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
    names = json.loads(text) if text.startswith("[") else text.split(":")
    if not all(isinstance(name, str) for name in names) or not any(names):
        raise ValueError(f"{text!r} is no list of directories")
    return tuple(name for name in names if name)


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def add_arguments(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add one argument per option; absent ones stay None, so `resolve` can tell."""
    for option in options:
        shown = f" (default: {option.default})" if option.default else ""
        text = f"{option.help}{shown} [{option.variable}]".replace("%", "%%")
        if option.is_switch:
            parser.add_argument(
                option.flag, dest=option.key, action="store_const", const="true", help=text
            )
        else:
            parser.add_argument(
                option.flag, dest=option.key, metavar=option.metavar or _metavar(option), help=text
            )


def _metavar(option: Option) -> str:
    known = {"endpoint": "HOST:PORT", "directories": "DIR[:DIR]", "int": "N"}
    by_flag = "DIR" if option.key.endswith(("_dir", "standalone", "manifests")) else "VALUE"
    return known.get(getattr(option.parse, "__name__", ""), by_flag)


def resolve(
    options: Sequence[Option], given: Mapping[str, str | None], env: Mapping[str, str]
) -> Mapping[str, Any]:
    """Merge flags, environment, file and defaults, and parse every value once.

    Raises:
        BadInput: an unknown variable or key, a value that does not parse, an unreadable file.
    """
    _refuse_unknown_variables(options, env)
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


def _refuse_unknown_variables(options: Sequence[Option], env: Mapping[str, str]) -> None:
    known = {option.variable for option in options} | {PREFIX + name for name in _SHARED}
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in known and not _SERVICE_LINK.search(name):
            raise BadInput(
                f"cannot use the environment variable {name}: there is no such setting",
                remedy=_near(name, known, "unset it"),
            )


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"did you mean {close[0]}?" if close else otherwise


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
            raise BadInput(
                f"cannot use the configuration file {path}: unknown key {name}",
                remedy=_near(str(name), known, f"known keys: {', '.join(sorted(known))}"),
            )
        if value is not None:
            values[key] = value if isinstance(value, str) else json.dumps(value)
    return values


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
