"""What several tests share: waiting, a running system, tasks to run."""
