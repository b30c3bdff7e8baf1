"""Identity: which customers of a tenant are one person, as far as identifiers and consent tell."""
