"""Making a detector: steps, schedules, validation, several processes, and the run folder."""
