"""The corpora of the field: one reader a family; all that are described in YAML share one."""
