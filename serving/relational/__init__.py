"""What serving itself remembers, in a relational database: tenants, users, roles, keys, sessions, and the audit log."""
