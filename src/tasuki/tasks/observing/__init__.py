"""What operators see of background work: numbers, queues, workers. Nothing here changes a task."""
