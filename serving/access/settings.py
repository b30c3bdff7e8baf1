"""How callers are recognised: what the options say about access, in one typed object."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from serving.access.token_claims import ClaimNames

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DEMO_USER = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The OpenID provider. Without `client_id` tokens are accepted, but browsers cannot sign in here."""

    issuer: str
    audience: str
    """The `aud` of access tokens that are meant for this server."""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    session_secret: str = field(default="", repr=False)
    public_url: str = ""
    """Where browsers reach this server, such as https://tributary.example."""
    scopes: str = "openid"
    claims: ClaimNames = field(default_factory=ClaimNames)
    session_hours: float = 12.0
    """A session ends so long after its sign-in, however often it is renewed."""

    @property
    def secure(self) -> bool:
        """Tell whether browsers come over https."""
        return urlsplit(self.public_url).scheme == "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may call. Without `oidc` and `service_keys` everybody may, as the demo user: only on loopback."""

    oidc: OidcSettings | None = None
    service_keys: bool = False
    demo_user: str = DEMO_USER
    calls_per_second: float = 1_000.0
    """Calls of one tenant to one server, unless the tenant has a limit of its own. Not applied to the demo user."""
    burst: int = 2_000

    @property
    def authenticated(self) -> bool:
        """Tell whether callers must show who they are."""
        return self.oidc is not None or self.service_keys


def refuse_open_listener(settings: AccessSettings, host: str) -> str | None:
    """Return why a server may not listen on an address, None when it may."""
    if settings.authenticated or host in LOOPBACK:
        return None
    return "callers are not authenticated: 127.0.0.1, ::1 or localhost, or set --oidc-issuer or --service-keys"
