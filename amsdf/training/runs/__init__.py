"""What a run leaves: its folder, what it was made with, and the state to go on from."""
