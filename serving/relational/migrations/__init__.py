"""Changes of the relational schema, applied once and in order by Alembic."""
