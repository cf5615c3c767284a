"""What each command does: parsed arguments in, printed lines and an exit status out."""
