"""`spnb lab`: JupyterLab on the first notebook, with its service ready before the page opens."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import TextIO

from rich.console import Console

from spnb._arguments import checked_port
from spnb.errors import ConfigError

__all__ = ["FIRST_NOTEBOOK", "copy_notebooks", "open_lab", "shipped_notebooks"]

FIRST_NOTEBOOK = "01_go_live.ipynb"


def shipped_notebooks() -> Path:
    """The folder of notebooks that came with spnb: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def copy_notebooks(folder: Path, *, fresh: bool = False) -> list[Path]:
    """Copy the shipped notebooks and their pictures into `folder`. The user's own copies are kept unless `fresh`.

    Returns:
        The notebooks now in the folder, in reading order.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    home = shipped_notebooks()
    for source in sorted([*home.glob("*.ipynb"), *home.glob("images/*.png")]):
        target = folder / source.relative_to(home)
        if fresh or not target.exists():
            shutil.copyfile(source, target)
    return sorted(folder.glob("*.ipynb"))


def open_lab(folder: Path, *, port: int, browser: bool, fresh: bool) -> int:
    """Start JupyterLab in this process and stay until it ends.

    A sandbox is started first where the environment names no real service, and kept for as long as the lab runs, so
    that the first cell of the notebook answers at once.
    """
    from spnb.config import credentials_from_environment

    checked_port(port)
    console = Console(stderr=True)
    try:
        notebooks = copy_notebooks(folder, fresh=fresh)
    except OSError as error:
        raise ConfigError(
            f"the notebooks cannot be copied into {folder} ({error.strerror}): name another folder, spnb lab FOLDER"
        ) from None
    real = credentials_from_environment()
    if real is None:
        import spnb.sandbox

        info = spnb.sandbox.ensure()
        console.print(f"sandbox   [bold]{info.url}[/] (data in {info.data_dir})", highlight=False, soft_wrap=True)
    else:
        console.print(f"service   [bold]{real[0].rest}[/] as {real[1].user_id}", highlight=False, soft_wrap=True)
    console.print(f"notebooks [bold]{folder}[/] ({len(notebooks)})", highlight=False, soft_wrap=True)
    console.print(
        "JupyterLab prints its address below; Ctrl-C ends it, its kernels and its sandbox.\n",
        highlight=False,
        soft_wrap=True,
    )

    from jupyterlab.labapp import LabApp

    arguments = [
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}",
        "--LabApp.news_url=None",  # an empty one still asks whether news may be fetched
        "--LabApp.log_level=WARN",
        "--ServerApp.log_level=WARN",
        "--ServerApp.answer_yes=True",
        "--LabApp.extension_manager=readonly",
    ]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    # Kernels must find this very environment also where another python3 kernel is installed for the user.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    _hide_deprecations()
    LabApp.launch_instance(arguments)
    console.print("The lab has ended.", highlight=False, soft_wrap=True)
    return 0


def _hide_deprecations() -> None:
    """What the lab's own packages have still to change is not for who opens it.

    A filter would not do: an extension that is installed beside (Voila) sets one of its own as it is loaded.
    """
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, DeprecationWarning):
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
