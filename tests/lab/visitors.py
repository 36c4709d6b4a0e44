"""The lab in another page, or in a browser of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from playwright.async_api import Page, async_playwright

from tests.lab.conftest import BASE, Lab, browser_options


async def visit(lab: Lab, page: Page, host: str = "127.0.0.1") -> Lab:
    """The lab in another page."""
    page.set_default_timeout(60_000)
    home = lab.url.replace("127.0.0.1", host)
    await page.goto(f"{home}{BASE}lab?token={lab.token}&reset")
    await page.wait_for_function("window.jupyterapp && window.jupyterapp.started")
    return replace(lab, page=page)


@asynccontextmanager
async def another_browser(lab: Lab, *options: str) -> AsyncIterator[Lab]:
    """The lab in a browser of its own."""
    async with async_playwright() as playwright:
        started = browser_options(lab.home)
        started["args"] += options
        browser = await playwright.chromium.launch(**started)
        yield await visit(lab, await browser.new_page())
        await browser.close()
