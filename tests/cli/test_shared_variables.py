"""One shell may have set the variables of every program of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import cni.settings
import webhook.settings
from planes.cli.__main__ import COMMANDS
from planes.cli.command import OUTPUT
from planes.model.errors import BadInput
from planes.run.declared import GROUP, declared_variables
from planes.run.settings import Option, resolve

ROOT = Path(__file__).parents[2]
PROGRAMS: dict[str, tuple[Option, ...]] = {
    "netplane-cni": tuple(cni.settings.OPTIONS),
    "netplane-cni install": cni.settings.INSTALL_OPTIONS,
    "netplane-cni uninstall": cni.settings.UNINSTALL_OPTIONS,
    "netplane-webhook": tuple(webhook.settings.OPTIONS),
    **{" ".join(command.words): (*command.options, OUTPUT) for command in COMMANDS},
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_stumbles_over_the_variables_of_another(program: str) -> None:
    own = {option.key for option in PROGRAMS[program]}
    everybody = [option for options in PROGRAMS.values() for option in options]
    foreign = {option.variable: "x" for option in everybody if option.key not in own}
    resolve(PROGRAMS[program], {}, foreign)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_stumbles_over_what_the_shim_reads(program: str) -> None:
    """NETPLANE_WAIT_SECONDS is documented, and stopped all three programs."""
    source = (ROOT / "cni" / "shim" / "netplane.c").read_text()
    read = set(re.findall(r'"(NETPLANE_[A-Z_]+)"', source)) - {"NETPLANE_VERSION"}
    assert {"NETPLANE_WAIT_SECONDS", "NETPLANE_ANSWER_SECONDS"} < read
    own = {option.variable for option in PROGRAMS[program]}
    resolve(PROGRAMS[program], {}, dict.fromkeys(read - own, "30"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_variable_of_nobody_is_refused(program: str) -> None:
    with pytest.raises(BadInput, match="there is no such setting; unset it"):
        resolve(PROGRAMS[program], {}, {"NETPLANE_OF_NOBODY": "x"})


def test_each_program_declares_its_settings_in_the_package() -> None:
    """No list of them is kept anywhere: a new setting of one is known to all."""
    assert {point.name for point in entry_points(group=GROUP)} == {
        "netplane",
        "netplane-cni",
        "netplane-webhook",
    }
    every = {option.variable for options in PROGRAMS.values() for option in options}
    assert every <= declared_variables()


def test_a_program_with_its_own_variables_alone_loads_no_other() -> None:
    """What others declare is read only where a variable is met that is not one's own."""
    script = (
        "import sys; from cni.settings import OPTIONS; from planes.run.settings import resolve; "
        "resolve(OPTIONS, {}, {'NETPLANE_NODE': 'a'}); sys.exit('webhook.settings' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
