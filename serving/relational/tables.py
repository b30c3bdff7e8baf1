"""The tables, as the newest migration leaves them. Times are UTC milliseconds since the epoch."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()

tenants = Table(
    "tenants",
    METADATA,
    Column("tenant_id", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # Null: the server's own limits.
    Column("calls_per_second", Float),
    Column("burst", Integer),
)

users = Table(
    "users",
    METADATA,
    # Random, so that what refers to a user tells nothing about the person.
    Column("user_id", String(32), primary_key=True),
    # The identity provider's names. They are kept nowhere else.
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    # Tokens and sessions issued before this moment are refused.
    Column("valid_from", BigInteger, nullable=False, default=0),
    UniqueConstraint("issuer", "subject", name="uq_users_issuer_subject"),
)

role_grants = Table(
    "role_grants",
    METADATA,
    Column("user_id", ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.tenant_id"), primary_key=True),
    Column("role", String(32), primary_key=True),
    Column("granted_at", BigInteger, nullable=False),
)

service_keys = Table(
    "service_keys",
    METADATA,
    # The part of a key that may be shown.
    Column("key_id", String(32), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.tenant_id"), nullable=False),
    Column("name", String(100), nullable=False),
    # SHA-256 of the secret part, in hexadecimal. The secret has 256 random bits: there is nothing to guess.
    Column("secret_hash", String(64), nullable=False),
    # Permissions, separated by spaces.
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("ix_service_keys_tenant_id", "tenant_id"),
)

sessions = Table(
    "sessions",
    METADATA,
    # SHA-256 of the session id, in hexadecimal: a copy of this table signs nobody in.
    Column("session_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    # Roles by tenant from the claims of the newest token, as JSON.
    Column("grants", Text, nullable=False),
    Column("mfa", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # When the newest token ends; renewed with the refresh token.
    Column("expires_at", BigInteger, nullable=False),
    # When the session ends, however often it was renewed.
    Column("ends_at", BigInteger, nullable=False),
    # Encrypted with the session secret; null when the provider gave none.
    Column("refresh_token", Text),
    # The server that renews a session has until then to do so.
    Column("renewing_until", BigInteger, nullable=False, default=0),
    # SHA-256 of the provider's name of its session (`sid`), in hexadecimal; null when it gave none.
    Column("provider_session_hash", String(64)),
    Index("ix_sessions_ends_at", "ends_at"),
)

used_logout_tokens = Table(
    "used_logout_tokens",
    METADATA,
    # SHA-256 of issuer and `jti`, in hexadecimal.
    Column("token_hash", String(64), primary_key=True),
    # When the token has expired, and need not be remembered any more.
    Column("until", BigInteger, nullable=False),
)

revoked_tokens = Table(
    "revoked_tokens",
    METADATA,
    Column("issuer", Text, primary_key=True),
    # The token's `jti`.
    Column("token_id", String(255), primary_key=True),
    Column("revoked_at", BigInteger, nullable=False),
)

audit_log = Table(
    "audit_log",
    METADATA,
    # Random, given by the writer, so that a repeated write of an entry adds nothing.
    Column("entry_id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("caller_kind", String(16), nullable=False),
    Column("caller_id", String(64), nullable=False),
    Column("tenant_id", String(64), nullable=False),
    # read, stream, export, change, sign_in, manage
    Column("action", String(16), nullable=False),
    Column("method", Text, nullable=False),
    # The requested range of time; null where a method has none.
    Column("range_start", BigInteger),
    Column("range_end", BigInteger),
    Column("rows", BigInteger),
    # OK, or the reason of the refusal.
    Column("outcome", String(64), nullable=False),
    Index("ix_audit_log_tenant_id_at", "tenant_id", "at"),
)
"""Append-only: triggers refuse every UPDATE, DELETE and TRUNCATE."""

dashboards = Table(
    "dashboards",
    METADATA,
    # Random.
    Column("dashboard_id", String(32), primary_key=True),
    # Not a reference: the demo user's tenants, and those that only tokens name, are not stored.
    Column("tenant_id", String(64), nullable=False),
    # Who made it: the id of a user, a service key or the demo user.
    Column("owner_id", String(64), nullable=False),
    # Title and number of widgets of the newest version, so that lists need no other table.
    Column("title", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("widget_count", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_dashboards_tenant_id_updated_at", "tenant_id", "updated_at"),
)

dashboard_versions = Table(
    "dashboard_versions",
    METADATA,
    Column("dashboard_id", ForeignKey("dashboards.dashboard_id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("title", String(100), nullable=False),
    # DashboardLayout of the contract as JSON.
    Column("layout", Text, nullable=False),
    Column("widget_count", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", String(64), nullable=False),
    # The version that this one brought back; 0: none.
    Column("restored_from", Integer, nullable=False, default=0),
)

dashboard_shares = Table(
    "dashboard_shares",
    METADATA,
    Column("dashboard_id", ForeignKey("dashboards.dashboard_id", ondelete="CASCADE"), primary_key=True),
    # A role of the tenant that may see the dashboard.
    Column("role", String(32), primary_key=True),
)
