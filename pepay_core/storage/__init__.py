"""The database: Piccolo on SQLite and PostgreSQL behind one unit of work. Nothing outside of this package knows Piccolo."""
