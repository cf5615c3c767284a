"""Which weights become the result: validated, averaged, chosen."""
