"""`make install`, `make uninstall` and `make deb`: what they put where, and what they leave."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planes.cli.completion.command import script_of
from tests.house.sources import ROOT

pytestmark = pytest.mark.timeout(300)

COMPLETIONS = {
    "bash": "bash-completion/completions/netplane",
    "zsh": "zsh/site-functions/_netplane",
    "fish": "fish/vendor_completions.d/netplane.fish",
}
MAN_PAGE = "man/man1/netplane.1"
_UNITS = ("netplane-cni.service", "netplane-webhook.service")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is installed, made from the packages beside this Python."""
    if not (ROOT / "build" / "netplane").exists() or not (ROOT / ".venv" / ".ready").exists():
        pytest.skip("the programs are not built: run `make setup`")
    made = tmp_path_factory.mktemp("built") / "program"
    subprocess.run([sys.executable, "scripts/program", str(made)], cwd=ROOT, check=True)
    return made


@pytest.fixture(scope="module")
def installed(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it below one directory, used where it is."""
    home = tmp_path_factory.mktemp("installed")
    prefixes = {"PREFIX": home / "usr", "SYSCONFDIR": home / "etc", "CNIBINDIR": home / "cni"}
    _install(program, **{name: str(place) for name, place in prefixes.items()})
    return home


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of a single module and an empty plugin: the same steps, and quick."""
    made = tmp_path_factory.mktemp("small")
    for folder in ("site", "bin", "doc"):
        (made / folder).mkdir()
    (made / "site" / "planes.py").write_text("HERE = True\n")
    (made / "bin" / "netplane").touch()
    for name in ("LICENSE", "requirements.lock", "standalone.md"):
        (made / "doc" / name).write_text(name)
    version = sys.version_info
    (made / "python").write_text(f"python{version.major}.{version.minor}\n")
    return made


def _run(program: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PROGRAM_DIR": str(program), **variables}
    return subprocess.run(
        [f"scripts/{command[0]}", *command[1:]],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def _install(program: Path, **variables: str) -> str:
    done = _run(program, "install", "install", **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _files(root: Path) -> set[str]:
    """The files below a directory, but for Python's packages."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    return {path for path in found if "site-packages" not in path}


def test_below_destdir_are_programs_plugin_units_settings_and_examples(
    small: Path, tmp_path: Path
) -> None:
    _install(small, DESTDIR=str(tmp_path))
    assert _files(tmp_path) == {
        "etc/cni/net.d/netplane.conflist.example",
        "etc/netplane/cni.yaml",
        "etc/netplane/webhook.yaml",
        "opt/cni/bin/netplane",
        "usr/local/bin/kubectl-netplane",
        "usr/local/bin/netplane",
        "usr/local/bin/netplane-cni",
        "usr/local/bin/netplane-webhook",
        "usr/local/lib/netplane/bin/python3",
        "usr/local/lib/netplane/pyvenv.cfg",
        *(f"usr/local/lib/systemd/system/{unit}" for unit in _UNITS),
        "usr/local/share/doc/netplane/LICENSE",
        "usr/local/share/doc/netplane/requirements.lock",
        "usr/local/share/doc/netplane/standalone.md",
        *(f"usr/local/share/{place}" for place in (*COMPLETIONS.values(), MAN_PAGE)),
    }


def test_what_was_built_for_one_user_is_installed_for_all(small: Path, tmp_path: Path) -> None:
    """By a root with umask 077: the programs of another user would not start."""
    for path in (small, *small.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    _install(small, DESTDIR=str(tmp_path))
    wanted = {True: 0o755, False: 0o644}
    found = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    closed = [p for p in found if p.stat().st_mode & wanted[p.is_dir()] != wanted[p.is_dir()]]
    assert closed == []


def test_no_file_names_destdir(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "a-destdir"
    _install(small, DESTDIR=str(root))
    assert _naming(root, b"a-destdir") == []


def test_no_file_names_the_checkout(installed: Path) -> None:
    assert _naming(installed, os.fsencode(ROOT)) == []


def test_the_tools_of_developers_are_not_installed(program: Path) -> None:
    here = {path.name for path in (program / "site").iterdir()}
    assert {"aiohttp", "planes", "cni", "webhook", "certs"} <= here
    assert here.isdisjoint({"pytest", "mypy", "hypothesis", "pip", "tests"})


def test_the_programs_run_where_they_are_installed(installed: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/nowhere"}
    for name in ("netplane", "kubectl-netplane", "netplane-cni", "netplane-webhook"):
        command = [str(installed / "usr" / "bin" / name), "--help"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: {name.replace('kubectl-', 'kubectl ')} ")


@pytest.mark.parametrize(("shell", "place"), COMPLETIONS.items())
def test_shells_find_what_they_complete(installed: Path, shell: str, place: str) -> None:
    assert (installed / "usr" / "share" / place).read_text() == script_of(shell).read_text()


def test_the_installed_program_prints_its_completions_too(installed: Path) -> None:
    command = [str(installed / "usr" / "bin" / "netplane"), "completion", "fish"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, script_of("fish").read_text())


def test_man_finds_the_page(installed: Path) -> None:
    page = installed / "usr" / "share" / MAN_PAGE
    assert page.read_text() == (ROOT / "docs" / "man" / "netplane.1").read_text()


def test_an_uninstall_leaves_no_file(small: Path, tmp_path: Path) -> None:
    _install(small, DESTDIR=str(tmp_path))
    done = _run(small, "install", "uninstall", DESTDIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_an_uninstall_keeps_what_others_wrote(small: Path, tmp_path: Path) -> None:
    _install(small, DESTDIR=str(tmp_path))
    plane = tmp_path / "etc/netplane/manifests/planes.yaml"
    plane.write_text("mine")
    settings = tmp_path / "etc/netplane/cni.yaml"
    settings.write_text("node: mine\n")
    other = tmp_path / "opt/cni/bin/bridge"
    other.write_text("of others")
    done = _run(small, "install", "uninstall", DESTDIR=str(tmp_path))
    assert f"{tmp_path}/etc/netplane is kept" in done.stdout
    kept = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert kept == {plane, settings, other}


def test_settings_that_were_edited_are_kept(small: Path, tmp_path: Path) -> None:
    _install(small, DESTDIR=str(tmp_path))
    settings = tmp_path / "etc/netplane/cni.yaml"
    ours = settings.read_text()
    settings.write_text("node: mine\n")
    assert f"the new one is {settings}.new" in _install(small, DESTDIR=str(tmp_path))
    assert settings.read_text() == "node: mine\n"
    assert settings.with_name("cni.yaml.new").read_text() == ours
    assert not (tmp_path / "etc/netplane/webhook.yaml.new").exists()


@pytest.mark.parametrize("prefix", ["usr", "/usr/a b", "/usr/../x", "/a|b", "/"])
def test_a_prefix_that_units_cannot_name_is_refused(
    small: Path, tmp_path: Path, prefix: str
) -> None:
    done = _run(small, "install", "install", DESTDIR=str(tmp_path), PREFIX=prefix)
    assert done.returncode == 2
    assert f"cannot use the directory {prefix}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_installation_of_nothing_says_what_to_run(tmp_path: Path) -> None:
    done = _run(tmp_path / "none", "install", "install", DESTDIR=str(tmp_path))
    assert done.returncode == 1
    assert "run `make program`" in done.stderr


def test_systemd_accepts_the_units(installed: Path) -> None:
    """It looks for the programs that they start, too."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    units = [str(installed / "usr/lib/systemd/system" / unit) for unit in _UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("unit", "exposure"), [(_UNITS[0], 45), (_UNITS[1], 25)])
def test_a_unit_is_exposed_no_more_than_it_must_be(
    installed: Path, unit: str, exposure: int
) -> None:
    """By systemd's own measure, of 0 to 100; a unit without restrictions has 96."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    path = str(installed / "usr/lib/systemd/system" / unit)
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={exposure}", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


def test_a_debian_package_is_the_same_each_time_and_leaves_nothing(
    small: Path, tmp_path: Path
) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg is not installed")
    if os.geteuid() != 0:
        pytest.skip("installing a package takes root")
    first, second = (_package(small, tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    _dpkg(root, "-i", str(first))
    assert (root / "usr/lib/cni/netplane").stat().st_mode & 0o777 == 0o755
    assert (root / "usr/lib/systemd/system/netplane-cni.service").exists()
    settings = root / "etc/netplane/cni.yaml"
    settings.write_text("node: mine\n")
    _dpkg(root, "-i", str(second))
    assert settings.read_text() == "node: mine\n"
    (root / "var/lib/netplane/journal").mkdir(parents=True)
    _dpkg(root, "-r", "netplane")
    assert settings.exists()
    _dpkg(root, "-P", "netplane")
    left = [path for path in root.rglob("*") if "netplane" in path.name]
    assert left == []


def _naming(root: Path, name: bytes) -> list[Path]:
    """The files below a directory that hold a text."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if name in path.read_bytes()]


def _package(program: Path, folder: Path) -> Path:
    done = _run(program, "deb", DEB_DIR=str(folder), DEB_COMPRESSION="none")
    assert done.returncode == 0, done.stderr
    (package,) = folder.glob("*.deb")
    return package


def _dpkg(root: Path, *command: str) -> None:
    """Run dpkg on a root directory of its own; maintainer scripts see it as DPKG_ROOT."""
    done = subprocess.run(
        [
            *("dpkg", f"--root={root}", "--force-script-chrootless", "--force-depends"),
            *("--force-unsafe-io", "--log=/dev/null", *command),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
