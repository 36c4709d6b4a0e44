"""Products of one's own in a sandbox. In the service they are made in its Console, or imported there."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from spnb._arguments import checked
from spnb._loop import on_loop
from spnb.models import Product
from spnb.sandbox.control.calls import SandboxCalls

__all__ = ["add_product_async"]


@on_loop
@checked
async def add_product_async(
    name: str,
    *,
    product_id: str | None = None,
    price: float | None = None,
    currency: str | None = None,
    link: str = "",
    thumbnail_url: str | None = None,
    status: Literal["active", "archived"] = "active",
    sandbox: Any = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Product:
    """Put a product into a sandbox's catalogue; one with the same id is written over.

    Args:
        name: how it is called, 1 to 200 characters.
        product_id: its id; a new one without it.
        price: in units of `currency`.
        currency: e.g. `EUR`.
        link: where it is sold.
        thumbnail_url: its picture.
        status: only `active` ones can be tagged.
        sandbox: a client of the sandbox, or what `spnb.sandbox.start()` gave; this user's own without it.
        url: its address, in place of `sandbox`.
        api_key: its key, with `url`.

    Raises:
        InvalidInput: it is refused; says what of it.
        SandboxError: it is the real service, or the sandbox does not answer.
    """
    calls = await asyncio.to_thread(SandboxCalls.of, sandbox, url=url, api_key=api_key)
    wish = {
        "productId": product_id,
        "productName": name,
        "price": price,
        "currency": currency,
        "productUrl": link,
        "thumbnailUrl": thumbnail_url,
        "status": status,
    }
    return Product.model_validate((await calls._call("POST", "/sandbox/products", wish))["products"][0])
