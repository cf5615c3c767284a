"""Sound that is judged while it comes: a rolling verdict, alarms, and where live sound is from."""
