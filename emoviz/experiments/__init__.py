"""Tables over recipes, sets and seeds, with the seeds' own figures in the next column."""
