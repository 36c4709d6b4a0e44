"""The blocking twins of `spnb.sandbox.control.products`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._loop import run

if TYPE_CHECKING:
    from typing import Any, Literal

    from spnb.models import Product


__all__ = ["add_product"]


def add_product(
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
    from spnb.sandbox.control.products import add_product_async

    return run(
        add_product_async(
            name,
            product_id=product_id,
            price=price,
            currency=currency,
            link=link,
            thumbnail_url=thumbnail_url,
            status=status,
            sandbox=sandbox,
            url=url,
            api_key=api_key,
        )
    )
