"""Figures as image files, drawn by a Chrome that is already on the machine: nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spnb._arguments import checked
from spnb.errors import ConfigError, InvalidInput

__all__ = ["FORMATS", "save_image", "save_images"]

FORMATS = ("png", "svg", "pdf", "jpeg", "webp")
WIDTH = 1100


@checked
def save_image(figure: Any, path: str | Path, *, width: int = WIDTH, scale: float = 2) -> Path:
    """One figure as a file.

    Args:
        figure: a plotly figure.
        path: where; its ending says which kind: png, svg, pdf, jpeg or webp.
        width: in pixels; the height is the figure's own.
        scale: device pixels per pixel, for png, jpeg and webp.

    Raises:
        InvalidInput: the ending is none of these, or the folder is not there.
        ConfigError: kaleido or a Chrome is missing; the message says how to get it.
    """
    place = Path(path)
    kind = place.suffix.lstrip(".").lower()
    _write({place: figure}, kind, width, scale)
    return place


@checked
def save_images(
    figures: Mapping[str, Any], folder: str | Path, *, kind: str = "png", width: int = WIDTH, scale: float = 2
) -> list[Path]:
    """Figures by name, as `report.figures()` gives them, each as a file of that name; Chrome starts once.

    Args:
        figures: plotly figures by name.
        folder: where; it is made where it is not there.
        kind: png, svg, pdf, jpeg or webp.
        width: in pixels.
        scale: device pixels per pixel, for png, jpeg and webp.

    Raises:
        InvalidInput: there is no such kind.
        ConfigError: kaleido or a Chrome is missing; the message says how to get it.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    wanted = {place / f"{name}.{kind}": figure for name, figure in figures.items()}
    _write(wanted, kind, width, scale)
    return list(wanted)


def _write(wanted: Mapping[Path, Any], kind: str, width: int, scale: float) -> None:
    if kind not in FORMATS:
        raise InvalidInput(f"{kind or 'no ending'} is no kind of image: choose from {', '.join(FORMATS)}")
    if lost := [place.parent for place in wanted if not place.parent.is_dir()]:
        raise InvalidInput(f"there is no folder {lost[0]}: make it first")
    if find_spec("kaleido") is None:
        raise ConfigError("images need kaleido: pip install 'spnb[images]'")
    import plotly.io

    heights = [figure.layout.height or figure.layout.template.layout.height for figure in wanted.values()]
    try:
        plotly.io.write_images(
            list(wanted.values()), list(wanted), format=kind, width=width, height=heights, scale=scale
        )
    except RuntimeError as error:  # plotly's only word for it
        if "Chrome" not in str(error):
            raise
        raise ConfigError(
            "images need a Chrome or Chromium: install one (apt-get install chromium), say where it is with "
            "BROWSER_PATH, or run plotly_get_chrome"
        ) from error
