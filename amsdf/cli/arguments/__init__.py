"""Arguments as what the library takes: an experiment, an engine, a cache, and a record of them."""
