"""The provider's session of each session, and the logout tokens that were used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("sessions", sa.Column("provider_session_hash", sa.String(64)))
    op.create_table(
        "used_logout_tokens",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
