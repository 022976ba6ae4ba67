"""One shell may have set the variables of every program of ours."""

from __future__ import annotations

import pytest

import cni.settings
import webhook.settings
from planes.cli.__main__ import COMMANDS
from planes.cli.command import OUTPUT
from planes.run.settings import Option, resolve

PROGRAMS: dict[str, tuple[Option, ...]] = {
    "netplane-cni": tuple(cni.settings.OPTIONS),
    "netplane-webhook": tuple(webhook.settings.OPTIONS),
    **{" ".join(command.words): (*command.options, OUTPUT) for command in COMMANDS},
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_stumbles_over_the_variables_of_another(program: str) -> None:
    own = {option.key for option in PROGRAMS[program]}
    everybody = [option for options in PROGRAMS.values() for option in options]
    foreign = {option.variable: "x" for option in everybody if option.key not in own}
    resolve(PROGRAMS[program], {}, foreign)
