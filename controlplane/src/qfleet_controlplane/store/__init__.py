"""What lasts: tables, their migrations, one writer, and the audit log."""
