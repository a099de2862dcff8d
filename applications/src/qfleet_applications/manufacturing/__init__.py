"""Manufacturing: job shop schedules, routes and maintenance windows."""
