"""Custom dashboards, their versions, and the roles that they are shared with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dashboards",
        sa.Column("dashboard_id", sa.String(32), primary_key=True),
        sa.Column("tenant_id", sa.String(64), nullable=False),
        sa.Column("owner_id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("widget_count", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_dashboards_tenant_id_updated_at", "dashboards", ["tenant_id", "updated_at"])
    op.create_table(
        "dashboard_versions",
        sa.Column(
            "dashboard_id",
            sa.String(32),
            sa.ForeignKey("dashboards.dashboard_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("widget_count", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("restored_from", sa.Integer, nullable=False),
    )
    op.create_table(
        "dashboard_shares",
        sa.Column(
            "dashboard_id",
            sa.String(32),
            sa.ForeignKey("dashboards.dashboard_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("role", sa.String(32), primary_key=True),
    )
