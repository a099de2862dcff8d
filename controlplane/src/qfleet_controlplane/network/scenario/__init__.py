"""What the twin is told: sites, links, satellites, weather and demands, read from a file and checked."""
