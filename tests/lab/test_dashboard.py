"""The dashboard and a stream's page in a browser: every number shown is that of the rows, reckoned anew."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.async_api import Page, expect

from spnb import analytics
from tests.analytics.season import season
from tests.lab.conftest import CONNECT, Lab
from tests.recordings.planted import film, plant

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

ROWS = """() => [...document.querySelectorAll('.spnb-streams tbody tr')].map((row) =>
    [row.dataset.room, ...[...row.querySelectorAll('td')].map((cell) => cell.textContent)])"""
SETTLED = """() => {
    const shown = document.querySelector('.spnb-dashboard > div');
    return shown.dataset.shown && !shown.hasAttribute('aria-busy');
}"""


def frames(streams: int) -> dict[str, pd.DataFrame]:
    made = season(streams=streams, seed=5, viewers=60)
    # one stream of another type, and a title that wants to be markup or a formula
    made["rooms"].loc[1, ["type", "title"]] = ["directStreaming", "<img src=x onerror=window.spnbBroken=1> night"]
    made["rooms"].loc[2, "title"] = "=HYPERLINK(1) early"
    return made


async def settled(page: Page, work: Any) -> list[list[str]]:
    """Do something that changes the table, wait until it is shown, and read it."""
    before = await page.evaluate("document.querySelector('.spnb-dashboard > div').dataset.shown")
    await work
    await page.wait_for_function(
        "(before) => document.querySelector('.spnb-dashboard > div').dataset.shown !== before", arg=before
    )
    await page.wait_for_function(SETTLED)
    rows: list[list[str]] = await page.evaluate(ROWS)
    return rows


async def test_the_season_in_a_period_a_table_and_back(lab: Lab, tmp_path: Path) -> None:
    tables = frames(70)
    analytics.load(tables).save(tmp_path / "season")
    page = lab.page
    await lab.write_and_run(
        "dashboard.ipynb",
        f"import spnb\nfrom spnb import analytics\ndataset = analytics.load({str(tmp_path / 'season')!r})\n"
        "board = spnb.Dashboard(dataset)\nboard",
    )
    await page.wait_for_function(SETTLED)
    rooms, views = tables["rooms"].set_index("room_id"), tables["views"]
    last = rooms["created_at"].max().floor("D") + pd.Timedelta("1D")
    first = last - pd.Timedelta("30D")

    # The cards, by plain pandas from the rows.
    def cards(begin: pd.Timestamp, end: pd.Timestamp) -> dict[str, float]:
        known = analytics.load(tables).of_rooms(list(rooms.index))
        mended, _ = analytics.repaired(known.views, known.rooms)
        inside = mended[(mended["start"] >= begin) & (mended["start"] < end)]
        wrote = tables["messages"][
            (tables["messages"]["created_at"] >= begin) & (tables["messages"]["created_at"] < end)
        ]
        return {
            "streams": ((rooms["created_at"] >= begin) & (rooms["created_at"] < end)).sum(),
            "unique_viewers": inside["user_id"].nunique(),
            "minutes_watched": inside["watch_seconds"].sum() / 60,
            "messages": (~wrote["deleted"]).sum(),
        }

    async def value(name: str) -> tuple[str, str]:
        card = page.locator(f".spnb-kpi[data-name={name}]")
        return (
            await card.locator(".spnb-kpi-value").inner_text(),
            await card.locator(".spnb-kpi-change").inner_text(),
        )

    now, before = cards(first, last), cards(first - pd.Timedelta("30D"), first)
    assert (await value("streams"))[0] == f"{now['streams']:,}"
    assert (await value("unique_viewers"))[0] == f"{now['unique_viewers']:,}"
    assert float((await value("minutes_watched"))[0].replace(",", "")) == pytest.approx(
        now["minutes_watched"], abs=0.06
    )
    share = (now["streams"] - before["streams"]) / before["streams"]
    assert (await value("streams"))[1].endswith(f"{share:+.0%} vs before") or share == 0
    assert await page.locator(".spnb-kpi .spnb-trend").count() == 8

    # All of it: nothing was before, and that is no growth.
    rows = await settled(page, page.get_by_role("button", name="All", exact=True).click())
    assert (await value("views"))[1] == "n/a nothing before"
    kpis = analytics.load(tables).kpis
    newest = kpis.sort_values("live_at", ascending=False)
    assert [row[0] for row in rows] == list(newest.index[:25])
    shown = dict(zip([row[0] for row in rows], rows, strict=True))[newest.index[0]]
    exact = newest.iloc[0]
    assert shown[3:6] == [f"{exact['views']:,}", f"{exact['unique_viewers']:,}", f"{exact['peak_viewers']:,}"]
    own = views[views["room_id"] == newest.index[0]]
    assert int(shown[4]) == own["user_id"].nunique()

    # Sorted, by keyboard too, and turned over.
    peak = page.locator("[data-sort=peak_viewers]")
    rows = await settled(page, peak.click())
    assert [int(row[5]) for row in rows] == sorted(kpis["peak_viewers"], reverse=True)[:25]
    rows = await settled(page, page.keyboard.press("Enter"))
    assert [int(row[5]) for row in rows] == sorted(kpis["peak_viewers"])[:25]
    assert await page.locator("th[aria-sort=ascending]").inner_text() == "Peak ▲"
    pages = [rows]
    pages.append(await settled(page, page.get_by_role("button", name="Next ›").click()))
    pages.append(await settled(page, page.get_by_role("button", name="Next ›").click()))
    assert [len(rows) for rows in pages] == [25, 25, 20]
    assert {row[0] for rows in pages for row in rows} == set(kpis.index)
    await expect(page.get_by_role("button", name="Next ›")).to_be_disabled()

    # Searched and filtered; what users wrote is text, and runs in no spreadsheet.
    rows = await settled(page, page.get_by_label("search streams").fill("SRC=X"))
    assert [row[0] for row in rows] == ["s1"]
    await expect(page.locator(".spnb-streams tbody")).to_contain_text("<img src=x")
    assert not await page.evaluate("window.spnbBroken")
    await settled(page, page.get_by_label("search streams").fill(""))
    rows = await settled(page, page.get_by_label("type", exact=True).select_option("directStreaming"))
    assert [row[0] for row in rows] == ["s1"]
    await settled(page, page.get_by_label("type", exact=True).select_option(""))
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download CSV").click()
    text = Path(await (await coming.value).path()).read_text("utf-8-sig")
    lines = {line["room_id"]: line for line in csv.DictReader(io.StringIO(text))}
    assert set(lines) == set(kpis.index)
    assert lines["s2"]["title"] == "'=HYPERLINK(1) early"
    assert float(lines["s7"]["watch_seconds"]) == pytest.approx(kpis.loc["s7", "watch_seconds"])
    assert float(lines["s7"]["average_viewers"]) == pytest.approx(kpis.loc["s7", "average_viewers"])

    # A range that ends before it starts is refused in words; another zone moves the days.
    day = f"{rooms['created_at'].min():%Y-%m-%d}"
    await page.get_by_label("last day").fill("2020-01-01")
    await expect(page.locator(".spnb-error")).to_contain_text("before it starts")
    await settled(page, page.get_by_role("button", name="All", exact=True).click())
    rows = await settled(page, page.get_by_label("last day").fill(day))
    rows = await settled(page, page.get_by_label("time zone").select_option("Asia/Tokyo"))
    local = kpis["created_at"].dt.tz_convert("Asia/Tokyo").dt.strftime("%Y-%m-%d")
    assert {row[0] for row in rows} == set(kpis.index[local == day])
    await settled(page, page.get_by_label("time zone").select_option("UTC"))
    await settled(page, page.get_by_role("button", name="All", exact=True).click())
    await settled(page, page.locator("[data-sort=live_at]").click())
    await pictured(lab, "dashboard-light", ".spnb-dashboard")
    # Into a stream and back, the focus where it was.
    rows = await page.evaluate(ROWS)
    room = rows[2][0]
    await page.locator(f"tr[data-room={room}] button").press("Enter")
    await expect(page.locator(f".spnb-page[data-drawn={room}]")).to_be_visible()
    await expect(page.locator(".spnb-streams")).to_be_hidden()
    exact = kpis.loc[room]
    assert (await value_of(page, "unique_viewers")) == f"{exact['unique_viewers']:,}"
    assert (await value_of(page, "peak_viewers")) == f"{exact['peak_viewers']:,}"
    steps = await page.evaluate(
        """() => {
            const viewers = document.querySelector('.spnb-page .js-plotly-plot').data.find(t => t.name === 'viewers');
            return [viewers.line.shape, Math.max(...viewers.y)];
        }"""
    )
    assert steps == ["hv", exact["peak_viewers"]]
    assert await page.locator(".spnb-page .js-plotly-plot").count() == 4
    await pictured(lab, "stream-page-light", ".spnb-dashboard")
    # Nor do labels stand on each other where a notebook is narrow.
    await sized(page, 900, 2600)
    assert await page.evaluate(COLLISIONS) == []
    await lab.shot("stream-page-narrow", ".spnb-dashboard")
    await sized(page, 1280, 1400)
    told = await lab.run_code("import json\nprint(json.dumps([board.room, len(board.table)]))")
    assert json.loads(told) == [room, 70]
    await page.get_by_role("button", name="‹ All streams").click()
    await expect(page.locator(".spnb-streams")).to_be_visible()
    assert await page.evaluate("document.activeElement.closest('tr').dataset.room") == room

    # Dark, on the page of a stream too: the figures follow.
    await page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    await page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    await pictured(lab, "dashboard-dark", ".spnb-dashboard")
    await page.locator(f"tr[data-room={room}]").click(position={"x": 300, "y": 10})
    await page.wait_for_function(
        """() => document.querySelector('.spnb-page:not([hidden]) .js-plotly-plot')
            ?._fullLayout.font.color === '#e6e6e6'"""
    )
    await pictured(lab, "stream-page-dark", ".spnb-dashboard")
    await page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    await page.wait_for_function(
        "document.querySelector('.spnb-page .js-plotly-plot')._fullLayout.font.color === '#1f2328'"
    )
    wrong = [line for line in lab.console if "pageerror" in line]
    assert not wrong, wrong


COLLISIONS = """() => [...document.querySelectorAll('.spnb-page .js-plotly-plot')].flatMap((plot) => {
    const boxes = [...plot.querySelectorAll('text')].map((one) => [one.textContent, one.getBoundingClientRect()]);
    return boxes.flatMap(([text, a], at) => boxes.slice(at + 1).flatMap(([other, b]) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        return wide > 2 && high > 4 ? [`${text} / ${other}: ${wide.toFixed(0)}×${high.toFixed(0)}`] : [];
    }));
})"""
"""Texts of the charts that stand on each other."""


async def pictured(lab: Lab, name: str, selector: str) -> None:
    """A screenshot of all of it."""
    await sized(lab.page, 1500, 2600)
    await lab.shot(name, selector)
    await sized(lab.page, 1280, 1400)


async def sized(page: Page, width: int, height: int) -> None:
    """Give the page a size, and wait until the charts have taken theirs."""
    await page.set_viewport_size({"width": width, "height": height})
    await page.wait_for_function("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.wait_for_function(
        """() => [...document.querySelectorAll('.spnb-chart')].every((chart) => !chart.clientWidth
            || Math.abs(chart.querySelector('svg.main-svg').clientWidth - chart.clientWidth) < 2)"""
    )


async def value_of(page: Page, name: str) -> str:
    return await page.locator(f".spnb-page .spnb-kpi[data-name={name}] .spnb-kpi-value").inner_text()


@pytest.mark.media
async def test_a_click_on_a_moment_plays_the_recording_there(lab: Lab, tmp_path: Path) -> None:
    page = lab.page
    await lab.write_and_run("moments.ipynb", CONNECT + "room = sp.rooms.create('Talk with moments')", "pass", "pass")
    room_id = (await lab.run_code("print(room.room_id)")).strip()
    plant(lab.sandbox, room_id, [film(tmp_path / "talk.mp4", 180, size=(320, 180))])
    await lab.run_code("record = room.refresh()")
    tables = planted(room_id)
    analytics.load(tables).save(tmp_path / "one")
    report = analytics.load(tables).report(room_id)
    assert len(report.moments) == 1
    await lab.run_code("pass")
    cell = (
        f"from spnb import analytics\nreport = analytics.load({str(tmp_path / 'one')!r}).report(room.room_id)\n"
        "page = spnb.StreamReport(report, room=room, time_zone='Europe/Berlin')\npage"
    )
    await page.evaluate(
        """async (source) => {
            const { content } = window.spnbPanel;
            content.activeCellIndex = 1;
            content.activeCell.model.sharedModel.setSource(source);
            await window.jupyterapp.commands.execute('notebook:run-cell');
        }""",
        cell,
    )
    await expect(page.locator(".spnb-page[data-drawn]")).to_be_visible()
    await expect(page.get_by_label("position")).to_be_enabled()
    moment = page.locator(".spnb-moments button").first
    at = float(await moment.get_attribute("data-at") or -1)
    assert at == pytest.approx(float(report.moments["seconds"].iloc[0]))
    await moment.click()
    video = page.locator(".spnb-player video")
    await page.wait_for_function(
        """(at) => {
            const video = document.querySelector('.spnb-player video');
            return !video.paused && video.currentTime >= at && video.currentTime < at + 4;
        }""",
        arg=at,
    )
    await page.wait_for_function("!document.querySelector('.spnb-now').hidden")
    assert float(await lab.run_code("print(page.moment)")) == pytest.approx(at)
    await pictured(lab, "stream-report-player", ".spnb-card:has(.spnb-page)")

    # A click on the chart goes where it was clicked.
    plot = page.locator(".spnb-page .js-plotly-plot").first
    place = await plot.evaluate(
        """(plot) => {
            const box = plot.getBoundingClientRect();
            const { xaxis, _size } = plot._fullLayout;
            return [xaxis._offset + xaxis.c2p(60), _size.t + 40];
        }"""
    )
    await plot.scroll_into_view_if_needed()
    await plot.hover(position={"x": place[0], "y": place[1]})
    await plot.click(position={"x": place[0], "y": place[1]})
    await page.wait_for_function(
        """() => {
            const { currentTime } = document.querySelector('.spnb-player video');
            return currentTime >= 59 && currentTime < 65;
        }"""
    )
    assert abs(float(await lab.run_code("print(page.moment)")) - 60) < 1
    await video.evaluate("(video) => video.pause()")


def planted(room_id: str) -> dict[str, pd.DataFrame]:
    """Three minutes with one outburst in them."""
    begin = pd.Timestamp("2026-03-01T18:00:00Z")
    seconds = [float(second) for second in range(0, 180, 4)] + [100 + tenth / 10 for tenth in range(99)]
    at = [begin + pd.Timedelta(seconds=second) for second in sorted(seconds)]
    return {
        "rooms": pd.DataFrame(
            {
                "room_id": [room_id],
                "title": ["Talk with moments"],
                "creator_id": ["ann"],
                "type": ["coHosts"],
                "status": ["recorded"],
                "created_at": [begin],
                "live_at": [begin],
                "ended_at": [begin + pd.Timedelta("180s")],
            }
        ),
        "views": pd.DataFrame(
            {
                "session_id": [f"v{number}" for number in range(25)],
                "room_id": room_id,
                "user_id": [f"u{number}" for number in range(25)],
                "start": [begin + pd.Timedelta(seconds=number * 3) for number in range(25)],
                "end": [begin + pd.Timedelta(seconds=90 + number * 3.5) for number in range(25)],
                "watch_seconds": 60.0,
            }
        ),
        "messages": pd.DataFrame(
            {
                "message_id": [f"m{number}" for number in range(len(at))],
                "room_id": room_id,
                "user_id": [f"u{number % 25}" for number in range(len(at))],
                "created_at": at,
                "length": 20,
            }
        ),
    }
