"""How callers are recognised: what the options say about access, in one typed object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving.access.oidc_provider import checked_url
from serving.access.session_cookie import MIN_SECRET_CHARACTERS
from serving.access.tenancy import TENANT_ID
from serving.access.token_claims import ClaimNames
from serving.relational.database import DEFAULT_URL, Database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.options import Options

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
    relational_url: str = ""
    """Empty: nothing is remembered and nothing audited, which is only for the demo."""
    relational_password: str = field(default="", repr=False)
    operator_token: str = field(default="", repr=False)
    """What /metrics asks for where callers are authenticated; empty: nobody may read it there."""

    @property
    def authenticated(self) -> bool:
        """Tell whether callers must show who they are."""
        return self.oidc is not None or self.service_keys


def open_listener_problem(options: Options) -> tuple[str, object, str] | None:
    """Return why a server without authentication may not listen where the options say."""
    if options.oidc_issuer or options.service_keys or options.host in LOOPBACK:
        return None
    allowed = "127.0.0.1, ::1 or localhost, as callers are not authenticated; or set --oidc-issuer or --service-keys"
    return "host", options.host, allowed


def problem(options: Options) -> tuple[str, object, str] | None:  # noqa: C901 - one plain rule after the other
    """Return the first option about access that is not allowed, as (name, value, what is allowed), or None."""
    authenticated = bool(options.oidc_issuer) or options.service_keys
    if options.demo_user and authenticated:
        return "demo_user", options.demo_user, "not together with --oidc-issuer or --service-keys"
    if options.demo_user and not TENANT_ID.fullmatch(options.demo_user):
        return "demo_user", options.demo_user, "1 to 64 of the characters A-Z a-z 0-9 . _ -"
    if found := open_listener_problem(options):
        return found
    for name in ("oidc_issuer", "public_url"):
        if getattr(options, name):
            try:
                checked_url(getattr(options, name))
            except ValueError as error:
                return name, getattr(options, name), str(error)
    if options.oidc_issuer and not options.oidc_audience:
        return "oidc_audience", "", "the `aud` of access tokens for this server, needed with --oidc-issuer"
    if options.oidc_client_id and not (options.oidc_issuer and options.public_url):
        return "oidc_client_id", options.oidc_client_id, "together with --oidc-issuer and --public-url"
    if options.relational_url:
        try:
            Database(options.relational_url).close()
        except ValueError as error:
            return "relational_url", "(hidden)", str(error)
    if bool(options.tls_certificate) != bool(options.tls_key):
        return "tls_key", options.tls_key, "together with --tls-certificate"
    return None


def settings_of(options: Options, environment: Mapping[str, str]) -> AccessSettings:
    """Return what checked options and the secrets in the environment say about access.

    Raises:
        ValueError: a secret is missing or too short; it names the variable.
    """
    oidc = None
    if options.oidc_issuer:
        oidc = OidcSettings(
            issuer=options.oidc_issuer,
            audience=options.oidc_audience,
            client_id=options.oidc_client_id,
            client_secret=environment.get("TRIBUTARY_OIDC_CLIENT_SECRET", ""),
            session_secret=environment.get("TRIBUTARY_SESSION_SECRET", ""),
            public_url=options.public_url,
            scopes=options.oidc_scopes,
            claims=ClaimNames(
                tenants=options.oidc_tenants_claim,
                roles=options.oidc_roles_claim,
                mfa_methods=frozenset(options.oidc_mfa_methods.split()),
                mfa_levels=frozenset(options.oidc_mfa_levels.split()),
            ),
            session_hours=options.session_hours,
        )
        if oidc.client_id and len(oidc.session_secret) < MIN_SECRET_CHARACTERS:
            msg = f"TRIBUTARY_SESSION_SECRET: at least {MIN_SECRET_CHARACTERS} characters, as --oidc-client-id is set"
            raise ValueError(msg)
    authenticated = oidc is not None or options.service_keys
    return AccessSettings(
        oidc=oidc,
        service_keys=options.service_keys,
        demo_user=options.demo_user or DEMO_USER,
        calls_per_second=options.tenant_calls_per_second,
        burst=options.tenant_burst,
        relational_url=options.relational_url or (DEFAULT_URL if authenticated else ""),
        relational_password=environment.get("TRIBUTARY_RELATIONAL_PASSWORD", ""),
        operator_token=environment.get("TRIBUTARY_OPERATOR_TOKEN", ""),
    )
