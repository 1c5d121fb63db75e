"""What the cluster says it should be: resources, selectors, expected sessions, groups, bird.cfg."""
