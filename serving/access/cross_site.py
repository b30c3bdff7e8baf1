"""Keeps pages of other sites from using a browser's session (cross-site request forgery)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving.access import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

# `none`: typed or bookmarked. `same-site` is another host of the same domain, which need not be ours.
OWN_SITES = frozenset({"same-origin", "none"})


def refuse_cross_site(headers: Mapping[str, str], public_url: str) -> None:
    """Return unless a browser says that another site's page sent the call; `headers` have lower-case names.

    Browsers send `Sec-Fetch-Site` with every request, older ones `Origin` with every request that can change something
    and with every WebSocket. A caller that sends neither is no browser, and has the cookie from its owner.

    Raises:
        ServingError: another site's page.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in OWN_SITES:
        raise refusals.cross_site()
    origin = headers.get("origin")
    if origin is not None and _origin(origin) != _origin(public_url):
        raise refusals.cross_site()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
