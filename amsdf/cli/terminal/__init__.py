"""What a person reads in a terminal: verdicts, results, plugins, errors, in colour or not."""
