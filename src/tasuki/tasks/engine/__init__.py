"""What carries tasks from `queued` to their end: dispatcher, runner, reaper, lanes."""
